"""Names of libraries that are imported by another name than they are installed by."""

DISTRIBUTIONS = {
    "athanor": "athanor-ml",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
}
"""Import names that are not the distribution's."""
