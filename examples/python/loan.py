"""A pydantic model: its fields are the inputs, and what it refuses is the client's error. Needs `pip install pydantic`."""

import modelmill
from pydantic import BaseModel, Field


class Application(BaseModel):
    income: float = Field(gt=0)
    amount: float = Field(gt=0)
    employed: bool = True
    notes: dict[str, str] = {}


class Decision(BaseModel):
    approved: bool
    reason: str


@modelmill.model
def loan(application: Application) -> Decision:
    if not application.employed:
        return Decision(approved=False, reason="no employment")
    approved = application.amount < 5 * application.income
    return Decision(approved=approved, reason="within five incomes" if approved else "more than five incomes")
