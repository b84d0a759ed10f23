"""What became of customers, set beside how their calls went; needs the extra `warmline[research]`.

The heavy libraries (pandas, statsmodels, lifelines, matplotlib) are imported inside functions.
"""
