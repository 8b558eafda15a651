"""From runs to rows: outcomes, common sets, measures, ranks, surrogate against dense.

After records, before tables and site: `leaderboard` builds all rows of a ranking.
"""
