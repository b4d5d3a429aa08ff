#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "catalog/runtime_report.h"
#include "lifecycle/backend_source.h"

namespace modelmill {

/// A backend that runs another one's models, in processes of their own, by whatever release of the vendor's library
/// they have there. To clients the model stays one of its own backend's.
struct StandIn {
  std::string own;          // the backend that is stood in for: "pytorch"
  std::string own_runtime;  // with its version
  std::string problem;      // why that one can't, with the remedy; empty: the user wants it so
  std::string backend;      // "python"
  std::string runtime;      // with its version
};

/// Whether `backend` can run the models of `own` in its place.
bool stands_in_for(const std::string& backend, const std::string& own);

/// What runs the models of the backend `own` in its place: where its runtime is not `usable`, or where `asked`, if what
/// could is there. `find` tells of a backend.
std::optional<StandIn> find_stand_in(
    const BackendRegistry::Description& own, bool asked,
    const std::function<Result<BackendRegistry::Description>(const std::string& backend)>& find);

/// `backends`, in which the own backend's models are loaded by the one that stands in.
BackendSource with_stand_in(const BackendSource& backends, const StandIn& stand_in);

/// Its failure to load a model, with why it was the one to do it.
Status stand_in_failure(const StandIn& stand_in, const Status& status);

/// For people: who runs the model in which layout, and why.
std::shared_ptr<const RuntimeReport> stand_in_report(const StandIn& stand_in, RuntimeLayout layout, double tolerance);

}  // namespace modelmill
