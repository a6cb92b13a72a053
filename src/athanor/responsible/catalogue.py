"""What each indicator is, how it is computed, what a value means and when it misleads.

Pages, JSON reports and the command line all take their words from here.
"""

from athanor.responsible.types import Indicator


def _entry(name: str, title: str, *, what: str, how: str, reading: str, misleads: str) -> Indicator:
    return Indicator(name=name, title=title, what=what, how=how, reading=reading, misleads=misleads)


_ENTRIES = (
    _entry(
        "roc_auc",
        "ROC AUC",
        what="How well the model ranks: the chance that a random positive row gets a higher score "
        "than a random negative one.",
        how="The area under the curve of true against false positive rates over all thresholds; "
        "its interval is DeLong's on the logit scale. Of several classes, the mean of each against "
        "the rest, with a bootstrap interval.",
        reading="0.5 is chance, 1 is perfect; below 0.5 the ranking is upside down.",
        misleads="With a rare positive class it stays high although most alarms are false; look at "
        "PR AUC too. A value near 1 often means that a column leaks the label.",
    ),
    _entry(
        "pr_auc",
        "PR AUC",
        what="How clean the top of the ranking is: precision averaged over recall.",
        how="Average precision (step-wise area under precision against recall); bootstrap "
        "interval.",
        reading="Chance is the share of positives, 1 is perfect.",
        misleads="It moves with the share of positives, so that it can't be compared between data "
        "sets, or between groups, of different shares.",
    ),
    _entry(
        "accuracy",
        "Accuracy",
        what="The share of rows whose label the model tells rightly.",
        how="Right labels divided by rows, the label being the likeliest class; Wilson's interval.",
        reading="Compare it with the share of the commonest class, which costs nothing to reach.",
        misleads="If 95 % of the rows are of one class, a model that knows nothing has 0.95.",
    ),
    _entry(
        "balanced_accuracy",
        "Balanced accuracy",
        what="Accuracy with every class weighing the same.",
        how="The mean of the recalls of the classes; interval by the delta method.",
        reading="One divided by the number of classes is chance, 1 is perfect.",
        misleads="It treats a mistake on a rare class as dearer than one on a common class, which "
        "may not be what mistakes cost you.",
    ),
    _entry(
        "log_loss",
        "Log loss",
        what="How surprised the model is by the truth; bold mistakes cost most.",
        how="The mean of -ln(probability told for the true class), clipped at 2.2e-16.",
        reading="0 is perfect; telling the plain shares gives their entropy (0.69 for one in two).",
        misleads="A few rows told with near certainty and wrongly can make up all of it.",
    ),
    _entry(
        "brier",
        "Brier score",
        what="The mean squared error of the probabilities.",
        how="Mean of (probability - truth)^2; summed over classes where there are more than two.",
        reading="0 is perfect; telling the share s for every row gives s(1 - s).",
        misleads="With rare positives it is small for every model; compare it with s(1 - s).",
    ),
    _entry(
        "f1",
        "F1",
        what="Precision and recall in one figure.",
        how="Their harmonic mean at the likeliest class; bootstrap interval. Of several classes, "
        "the plain mean over them.",
        reading="0 to 1; it is near the smaller of the two.",
        misleads="It depends on the threshold, passes over true negatives, and weighs both kinds "
        "of mistake equally.",
    ),
    _entry(
        "precision",
        "Precision",
        what="Of the rows told positive, the share that is.",
        how="True positives divided by rows told positive; Wilson's interval.",
        reading="1 means no false alarm.",
        misleads="It falls when positives become rarer, with the model unchanged.",
    ),
    _entry(
        "recall",
        "Recall",
        what="Of the positive rows, the share that the model finds (true positive rate).",
        how="True positives divided by positive rows; Wilson's interval.",
        reading="1 means nothing was missed.",
        misleads="Telling everybody positive gives 1: read it together with precision.",
    ),
    _entry(
        "specificity",
        "Specificity",
        what="Of the negative rows, the share that is told negative.",
        how="True negatives divided by negative rows; Wilson's interval.",
        reading="1 means that nobody was alarmed falsely.",
        misleads="With rare positives even 0.99 can mean more false than true alarms.",
    ),
    _entry(
        "confusion",
        "Confusion matrix",
        what="How many rows of each true class were told as each class.",
        how="Counts at the likeliest class: rows are the truth, columns what the model told.",
        reading="The diagonal is right; the other fields say which classes are mistaken for which.",
        misleads="It holds for one threshold only: another one trades one kind of mistake for the "
        "other.",
    ),
    _entry(
        "calibration",
        "Calibration",
        what="Whether a probability means what it says: of the rows told 70 %, do 70 % come true?",
        how="Rows are sorted into ten bins by their probability; each bin's mean is set against "
        "its share of positives, with Wilson's interval.",
        reading="Points on the diagonal are calibrated; below it the model tells too much, above "
        "it too little.",
        misleads="Bins of few rows wander by chance: look at their intervals.",
    ),
    _entry(
        "ece",
        "Expected calibration error",
        what="The average gap between told and true shares.",
        how="The gaps of the ten bins, weighted by their rows (Guo et al. 2017).",
        reading="0.02 means that probabilities are off by 2 points on average.",
        misleads="A model that tells everybody the same share is calibrated and useless; small "
        "samples make it greater than it is.",
    ),
    _entry(
        "permutation_importance",
        "Permutation importance",
        what="How much worse the model gets when one column is shuffled.",
        how="The loss of ROC AUC, the mean of three shuffles of the raw column.",
        reading="0: the model does without it. 0.1: the area falls by 0.1 without it.",
        misleads="Of two columns that tell the same, each looks unimportant; and it says what the "
        "model uses, not what causes the outcome.",
    ),
    _entry(
        "attributions",
        "Attributions (SHAP)",
        what="How much each column moved each prediction away from the average one.",
        how="Exact: TreeSHAP inside LightGBM, coefficient x (value - mean) for logistic "
        "regression, in log-odds, summed back to the raw columns. The chart shows the mean "
        "absolute value.",
        reading="Base plus the attributions of a row is its score in log-odds; +0.7 about doubles "
        "the odds.",
        misleads="It explains the model, not the world: correlated columns share the credit in a "
        "way that is the method's and not nature's.",
    ),
    _entry(
        "selection_rate",
        "Selection rate",
        what="The share of a group that the model tells positive.",
        how="Rows told positive divided by rows of the group; Wilson's interval.",
        reading="Equal rates mean that the groups are told positive equally often.",
        misleads="Groups may differ in how many positives they truly hold.",
    ),
    _entry(
        "demographic_parity_difference",
        "Demographic parity difference",
        what="The greatest difference of selection rates between two groups.",
        how="Highest minus lowest selection rate among groups of 30 rows or more; Newcombe's "
        "interval for these two.",
        reading="0 is parity; 0.1 means that one group is told positive 10 points more often.",
        misleads="It ignores whether the rows truly are positive: a perfect model has a difference "
        "wherever the groups differ.",
    ),
    _entry(
        "equalized_odds_difference",
        "Equalized odds difference",
        what="The greatest difference of mistakes between two groups.",
        how="The greater of the differences of true and of false positive rates among groups of 30 "
        "rows or more; Newcombe's interval for the two groups.",
        reading="0 means that the model errs equally for all groups.",
        misleads="Small groups make it great by chance; and labels that are themselves unfair "
        "make an unfair model look fair.",
    ),
    _entry(
        "tpr",
        "True positive rate",
        what="Of a group's positive rows, the share that the model finds.",
        how="Recall inside the group; Wilson's interval.",
        reading="Lower in one group: its positives are missed more often.",
        misleads="It rests on the group's positive rows alone, often few.",
    ),
    _entry(
        "fpr",
        "False positive rate",
        what="Of a group's negative rows, the share that is told positive.",
        how="One minus specificity inside the group; Wilson's interval.",
        reading="Higher in one group: it is alarmed falsely more often.",
        misleads="It rests on the group's negative rows alone.",
    ),
)

CATALOGUE: dict[str, Indicator] = {entry.name: entry for entry in _ENTRIES}
"""Every indicator by its name."""
