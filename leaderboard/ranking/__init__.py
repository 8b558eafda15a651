"""The ranking: from runs to rows with outcomes, common sets, measures, ranks, and surrogates against dense networks.

It comes after `records` and before `tables` and the site. `leaderboard.build_leaderboard` makes all rows.
"""
