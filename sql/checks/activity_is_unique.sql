-- a person with more than one row for an account and a day, or a row that counts nothing or more than there is
-- grain: person_id, account_id, day
-- kind: check
-- reads: activity
-- First by a hash: groups of texts take twice the time and memory of groups of numbers.
with repeated as (
    select hash(person_id, account_id, day) as hashed
    from activity
    group by hash(person_id, account_id, day)
    having count(*) > 1
)
select person_id, account_id, day, count(*) as copies, min(events) as events
from activity
where hash(person_id, account_id, day) in (select hashed from repeated)
group by person_id, account_id, day
having count(*) > 1
union all
select person_id, account_id, day, 1 as copies, events
from activity
where events < 1 or tracks + pages > events or bots > events or first_seen > last_seen
