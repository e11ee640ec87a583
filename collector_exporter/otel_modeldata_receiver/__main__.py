"""`python -m otel_modeldata_receiver` is the command `otel-modeldata`."""

from __future__ import annotations

import sys

from .commands.main import main

sys.exit(main())
