#pragma once

#include <vector>

#include "base/status.h"
#include "model/definition.h"

namespace modelmill {

/// Whether a configuration's groups say on what kind of device instances run.
bool says_where(const ModelDefinition& given);

/// Names the instance groups of a definition and settles on what kind of device and on which GPUs each runs. `gpus` are
/// those of the machine; a backend that tells its own (`backend_gpus`, -1: it does not) is taken at its word, and then
/// runs on them unless told otherwise. INVALID_ARGUMENT for a GPU that is not there.
Status choose_instance_kinds(ModelDefinition& definition, std::vector<int> gpus, int backend_gpus);

/// The GPUs that a definition so completed may run on, given those of the machine and of its backend.
std::vector<int> gpus_of(const ModelDefinition& definition, std::vector<int> gpus, int backend_gpus);

}  // namespace modelmill
