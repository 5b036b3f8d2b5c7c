-- one row per account and day on which its people did anything, a day of the project's reporting zone
-- grain: account_id, day
-- kind: by_day account_id day
-- reads: activity
-- What belongs to no account is in no row. The counts add up over days and accounts; people does not, since one person comes
-- on many days.
select
    account_id, day, sum(events) as events, sum(tracks) as tracks, sum(pages) as pages, sum(bots) as bots,
    count(*) filter (where bots < events) as people
from activity
where account_id is not null
group by account_id, day
