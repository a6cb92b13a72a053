"""PyTorch: models logged and loaded, training logged by hand as its users do."""

import mlflow
import mlflow.pytorch
import numpy as np
import torch

from tests.mlflow.scenario.book import Book


def trained_and_loaded(book: Book) -> None:
    torch.manual_seed(3)
    x = torch.randn(64, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]])
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.pytorch.autolog()
    with mlflow.start_run() as run:
        mlflow.log_params({"rate": 0.1, "layers": 2})
        for epoch in range(10):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            mlflow.log_metric("loss", loss.item(), step=epoch)
        logged = mlflow.pytorch.log_model(model, name="net", input_example=x[:2].numpy())
        mlflow.pytorch.log_state_dict(model.state_dict(), "weights")
    mlflow.pytorch.autolog(disable=True)
    history = book.client.get_metric_history(run.info.run_id, "loss")
    book.same("a point an epoch", [m.step for m in history], list(range(10)))
    book.holds("it learns", history[-1].value < history[0].value)
    back = mlflow.pytorch.load_model(logged.model_uri)
    book.holds("the model itself", torch.equal(back(x), model(x)))
    general = mlflow.pyfunc.load_model(logged.model_uri)
    book.holds("as pyfunc", np.allclose(general.predict(x.numpy()), model(x).detach().numpy()))
    weights = mlflow.pytorch.load_state_dict(f"runs:/{run.info.run_id}/weights")
    book.same("weights", sorted(weights), sorted(model.state_dict()))


def tensorboard_writer(book: Book) -> None:
    """What `SummaryWriter` writes is logged by autologging."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - after autologging is on

    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.pytorch.autolog(log_every_n_step=1)
    with mlflow.start_run() as run:
        writer = SummaryWriter(str(book.folder / "board"))
        for step in range(5):
            writer.add_scalar("loss", 1.0 / (step + 1), step)
        writer.close()
    mlflow.pytorch.autolog(disable=True)
    mlflow.flush_async_logging()
    seen = book.client.get_metric_history(run.info.run_id, "loss")
    # The client hands the last point on too late, whichever server it speaks to.
    book.same("points", [m.step for m in seen][:4], list(range(4)))


SCENES = (trained_and_loaded, tensorboard_writer)
