#include "serve/ensemble_members.h"

#include <utility>

namespace modelmill {

Result<VersionPin> ServedMembers::pin(const EnsemblePlan::Step& step) {
  Result<VersionPin> pin = inference_.catalog().pin(step.model, step.version, step.label);
  if (pin.ok()) return pin;
  if (inference_.loads_on_demand(step.model)) return VersionPin();
  return unavailable(pin.status().message());
}

void ServedMembers::submit(VersionPin pin, InferRequestPtr request) {
  if (pin)
    inference_.submit(std::move(pin), std::move(request));
  else
    inference_.submit(std::move(request));
}

void ServedMembers::drop_unwanted(const EnsemblePlan::Step& step) {
  inference_.cancelled(RouteTarget{step.model, step.version, step.label});
}

}  // namespace modelmill
