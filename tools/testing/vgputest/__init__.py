# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What the programs that run tests in guests share."""
