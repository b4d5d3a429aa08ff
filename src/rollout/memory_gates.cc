#include "rollout/memory_gates.h"

#include <string>
#include <string_view>

namespace modelmill {
namespace {

/// Runs models in processes of their own, which tell their memory from the first second on.
constexpr std::string_view kProcessBackend = "python";

/// An ensemble's is its members', which may change while it is served.
bool is_within_server(const ModelVersion& version) {
  const ModelDefinition& definition = version.definition();
  return definition.backend != kProcessBackend && !definition.ensemble && version.process_health().memory_bytes == 0;
}

Status check_arm(const RolloutGate& gate, const RouteTarget& arm, const Catalog& catalog) {
  const auto pin = catalog.pin(arm.model, arm.version, arm.label);
  if (!pin.ok() || !is_within_server(**pin)) return ok_status();
  const std::string& backend = (*pin)->definition().backend;
  return failed_precondition(
      "gate '" + gate.text + "' can't be kept: '" + arm.text() + "' runs within the server" +
      (backend.empty() ? "" : " (backend '" + backend + "')") +
      ", where versions share runtimes and memory, so nobody knows a version's own; only that of worker processes "
      "(Python models) is known. Leave the gate out, and watch process_resident_memory_bytes or bound what models "
      "take with --model-memory; or serve it as a Python model");
}

}  // namespace

Status check_memory_gates(const Rollout& rollout, const Catalog& catalog) {
  for (const RolloutGate& gate : rollout.plan.gates) {
    if (!gate.is_of_memory()) continue;
    MM_RETURN_IF_ERROR(check_arm(gate, rollout.to, catalog));
    if (gate.kind == RolloutGate::Kind::kMemoryRatio) MM_RETURN_IF_ERROR(check_arm(gate, rollout.from, catalog));
  }
  return ok_status();
}

}  // namespace modelmill
