#pragma once

#include "base/status.h"
#include "wire/http.h"

namespace modelmill::invocations {

/// {"error_code": "...", "message": "..."}, as MLflow's clients expect it.
wire::HttpReply mlflow_failure(const Status& status);

/// An error before it is known whose request it is: with the members of MLflow's errors, and the "error" of all others.
wire::HttpReply any_failure(const Status& status);

}  // namespace modelmill::invocations
