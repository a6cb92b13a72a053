"""The app: joins the rooms, serves them, and drives them from the command line."""
