"""What the fuzz is made of: ``seeds`` (a valid request of every family), ``damage`` (what happens to it on its way), ``law``
(what must hold of the answer, of what is logged and of what is decoded, whatever was sent)."""
