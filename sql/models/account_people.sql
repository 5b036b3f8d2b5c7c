-- one row per person and account in which they ever did anything: when first and when last
-- grain: person_id, account_id
-- kind: by_subject person_id
-- reads: activity
-- Who acted in an account is found here, and not among all its days: there are twenty times as many.
select person_id, account_id, min(first_seen) as first_seen, max(last_seen) as last_seen
from activity
where account_id is not null
group by person_id, account_id
