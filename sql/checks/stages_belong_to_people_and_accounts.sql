-- a stage whose subject has no row
-- grain: subject, subject_id, stage
-- kind: check
-- reads: stages, people, accounts
select stages.subject, stages.subject_id, stages.stage
from stages
left join people on stages.subject = 'person' and people.person = stages.subject_id
left join accounts on stages.subject = 'account' and accounts.account_id = stages.subject_id
where people.person is null and accounts.account_id is null
