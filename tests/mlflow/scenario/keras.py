"""TensorFlow and Keras: training under autologging, the model loaded again."""

import mlflow
import mlflow.tensorflow
import numpy as np
import tensorflow as tf

from tests.mlflow.scenario.book import Book


def trained_under_autologging(book: Book) -> None:
    tf.keras.utils.set_random_seed(3)
    numbers = np.random.default_rng(3)
    x = numbers.normal(size=(96, 3)).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.tensorflow.autolog(silent=True)
    with mlflow.start_run() as run:
        model = tf.keras.Sequential(
            [
                tf.keras.layers.Input((3,)),
                tf.keras.layers.Dense(4, activation="tanh"),
                tf.keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
        model.fit(x, y, epochs=4, batch_size=16, validation_split=0.25, verbose=0)
    mlflow.tensorflow.autolog(disable=True)
    kept = book.client.get_run(run.info.run_id)
    book.same("parameters", [kept.data.params[k] for k in ("epochs", "batch_size")], ["4", "16"])
    book.same("optimizer", kept.data.params["opt_name"], "adam")
    for key in ("loss", "accuracy", "val_loss", "val_accuracy"):
        history = book.client.get_metric_history(run.info.run_id, key)
        book.same(f"{key} by epoch", [m.step for m in history], [0, 1, 2, 3])
    names = [f.path for f in book.client.list_artifacts(run.info.run_id)]
    book.holds("summary", "model_summary.txt" in names)
    back = mlflow.tensorflow.load_model(f"runs:/{run.info.run_id}/model")
    book.holds(
        "the model itself", np.allclose(back.predict(x, verbose=0), model.predict(x, verbose=0))
    )
    general = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    book.same("as pyfunc", list(np.shape(general.predict(x))), [96, 1])


SCENES = (trained_under_autologging,)
