"""models: what the build keeps of funnels in tables, handed to it by ``api``: ``stages`` and ``invites``.

- ``stages``: the table of spells in a stage, in rounds over ``sql/models``; ``stage_repair``: which subjects are stale;
- ``invites``: who brought whom, with generations; ``invite_repair``: along the people they brought;
- ``selections``: the events that the definitions name.

Decisions
- Rounds for stages. Context: a stage may lean on another one (``after``, ``members``), SQL windows cannot recurse portably.
  Choice: the same SQL files run once per round, the rows of earlier rounds bound as ``settled``. Price: each round
  reads the relation of matching events again (three rounds for the defaults).
- What is repaired follows cause and time. Context: whoever is active today would have all stages made again. Choice: a
  subject is stale only where a stage that reads the moved event is open at its time; who entered before cannot have entered
  differently, nor can who is past the time within which a stage is entered, or an account with too few people around that
  time (a day of 10 M events: 510 subjects for 3,550). Price: a stage that can be left is open for ever.
- Invitations are repaired along the people they brought. Context: who is credited, and each generation, depends on others'
  invitations; to make all took 7 processor seconds of 1.2 million. Choice: from the invitations that moved to their people,
  and on to whoever came by these (``invite_repair``). Price: a moved inviter of thousands makes thousands again.
- A leaving cuts time. Context: leaving and entering again, each with counts and windows of its own, is a walk that SQL
  windows cannot make. Choice: every moment of ``left_by`` starts a new stretch, in or out of the stage, and nothing is
  counted across it (at one instant leaving comes first). Price: a leaving before the entry, too, sets the counts to zero.
- One row per invitation and invitee. Context: share links bring several people by one id. Choice: ``scope`` marks the one
  row that is credited for a new person, so K is a count of marked rows. Price: an invitation's id is no key by itself.
"""
