-- an account with more than one row for a day, or a day with more people than events
-- grain: account_id, day
-- kind: check
-- reads: account_days
select account_id, day, count(*) as copies, sum(people) as people, sum(events) as events
from account_days
group by account_id, day
having count(*) > 1 or sum(people) > sum(events)
