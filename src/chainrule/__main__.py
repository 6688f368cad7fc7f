"""`python -m chainrule` is the command `chainrule`."""
from chainrule.cli.main import main

raise SystemExit(main())
