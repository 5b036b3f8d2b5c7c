-- an account that was last seen before the first time
-- grain: account_id
-- kind: check
-- reads: accounts
select account_id, first_seen, last_seen
from accounts
where last_seen < first_seen
