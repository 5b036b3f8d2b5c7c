-- an account whose parent is itself
-- grain: account_id
-- kind: check
-- reads: accounts
select account_id, parent
from accounts
where parent = account_id
