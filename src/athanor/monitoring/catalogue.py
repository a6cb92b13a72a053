"""What each figure of monitoring means: for the page, the terminal and reports."""

from athanor.monitoring.types import Indicator

INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        name="js",
        title="Jensen-Shannon distance",
        what="How differently the values of one column are spread in the window and in the "
        "training data.",
        how="The square root of the mean of two Kullback-Leibler divergences, each to the middle "
        "of both distributions (Lin 1991, base e), over at most 50 cells between quantiles of the "
        "training data, or over levels; missing values are a cell of their own.",
        meaning="0 is equal, 0.83 is no value in common. Compare it with the told value that "
        "healthy windows of the same size stay below, not with a fixed number.",
        misleads="It grows by itself in small windows and in columns with many levels; the "
        "calibrated value beside it grows with it.",
    ),
    Indicator(
        name="chi2",
        title="Chi-squared of two samples",
        what="Whether the shares of cells or levels differ between window and training data.",
        how="The sum over cells of squared differences, each divided by what the pool of both "
        "leads to expect; its healthy values come from resampling, not from a table.",
        meaning="Larger is more different. It is quick to see a rare level that became common.",
        misleads="Its size depends on the rows and the cells: two columns' values do not compare.",
    ),
    Indicator(
        name="anderson",
        title="Anderson-Darling of two samples",
        what="Whether a number moved or spread, with weight on the tails.",
        how="Scholz and Stephens (1987) for grouped data, on the same cells.",
        meaning="About 1 in healthy windows of independent rows. It sees small shifts of the mean "
        "long before the cells' shares show them.",
        misleads="It does not see values that moved between cells of the same order, and missing "
        "values are not in it.",
    ),
    Indicator(
        name="psi",
        title="Population stability index",
        what="The same question as the Jensen-Shannon distance, as credit scoring asks it.",
        how="The sum of (p - q) ln(p / q) over cells, half a row added to each. Shown, not tested.",
        meaning="For readers who know it from elsewhere.",
        misleads="The usual limits 0.1 and 0.2 flag nearly every small healthy window and miss "
        "real drift in large ones (2307.11878).",
    ),
    Indicator(
        name="wasserstein",
        title="Wasserstein distance",
        what="How far, on average, values would have to be moved to turn one distribution into "
        "the other.",
        how="Between the cells' centres, divided by the training data's standard deviation. "
        "Shown, not tested.",
        meaning="In standard deviations: 0.5 is half a standard deviation.",
        misleads="Heavy tails inflate the standard deviation and make it look small.",
    ),
    Indicator(
        name="p_value",
        title="p-value of a column",
        what="How often a healthy window of the same size shows as much as this one.",
        how="The pooled rows are dealt out again 2,000 times in the same sizes (whole blocks where "
        "a block column is named); of the tested statistics the strongest counts, and its own "
        "healthy values are those of the strongest. Below about 0.005 the tail is extrapolated.",
        meaning="Small is evidence of drift; the verdict uses the value corrected for all columns.",
        misleads="Rows that belong together (a day, a user) look like drift unless they are named "
        "as blocks. In very large windows it is small for shifts that do not matter.",
    ),
    Indicator(
        name="adjusted",
        title="Adjusted p-value",
        what="The p-value corrected for looking at many columns at once.",
        how="Benjamini and Hochberg (1995) over all inputs and outputs; a tenth of the false-alarm "
        "rate is kept for bad values.",
        meaning="A column drifted where it is at most the monitor's false-alarm rate: at most that "
        "share of healthy windows is flagged at all.",
        misleads="The rate is per window: a window every hour at 0.001 is a false alarm in six "
        "weeks.",
    ),
    Indicator(
        name="missing",
        title="Missing values",
        what="Rows without a value in a column.",
        how="Their share against the training data's by Fisher's exact test, one-sided.",
        meaning="Flagged where the training data does not explain it; mostly a sender changed.",
        misleads="A column that is missing for a reason (no second address) varies with the "
        "customers, and then moves without damage.",
    ),
    Indicator(
        name="unseen",
        title="Unseen levels",
        what="Rows with a level that the training data never had.",
        how="Against what the levels seen only once foretell (Good and Turing), by Poisson.",
        meaning="The model has learnt nothing about them: a renamed code, a new product.",
        misleads="Columns with very many levels always bring a few; the forecast allows for them.",
    ),
    Indicator(
        name="out_of_range",
        title="Out of range",
        what="Values below the lowest or above the highest of the training data.",
        how="How likely it is that so many of the pool's extremes fall into the window.",
        meaning="A changed unit, or customers that training never met.",
        misleads="One extreme more is no news, and is not flagged.",
    ),
    Indicator(
        name="outputs",
        title="Output drift",
        what="Whether the model's scores and labels changed.",
        how="As for inputs, against the first window of this version whose inputs were healthy.",
        meaning="Where inputs drift, outputs follow; where only outputs drift, look for a change "
        "in how the model is called.",
        misleads="It says nothing about whether the answers are still right.",
    ),
    Indicator(
        name="performance",
        title="Measured performance",
        what="How good the answers were, once the labels arrived.",
        how="ROC AUC with DeLong's standard error (accuracy for more than two classes), once for "
        "each window, when nine in ten of its rows have their label.",
        meaning="Told as degraded where it is worse than at the evaluation by more than chance.",
        misleads="It is as late as the labels are. Labels that arrive for some rows only (cases "
        "that were looked into) are not a fair sample.",
    ),
    Indicator(
        name="evidence",
        title="Evidence over time",
        what="Whether small changes, none of which is conspicuous, add up over windows.",
        how="An e-detector (Shin, Ramdas and Rinaldo 2203.03532): bets against health, added up.",
        meaning="At a value of A it alarms; false alarms are then A windows apart on average.",
        misleads="It needs p-values against the reference and all earlier windows together.",
    ),
)
