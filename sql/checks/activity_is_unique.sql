-- a person with more than one row for an account and a day, or a row that counts nothing or more than there is
-- grain: person_id, account_id, day
-- kind: check
-- reads: activity
select person_id, account_id, day, count(*) as copies, min(events) as events
from activity
group by person_id, account_id, day
having count(*) > 1 or min(events) < 1 or max(tracks + pages) > min(events) or max(bots) > min(events)
    or max(first_seen) > min(last_seen)
