#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "base/result.h"
#include "lifecycle/direct_run.h"
#include "model/definition.h"
#include "model/signature.h"

namespace modelmill {

/// A sample of the configuration's model_warmup: requests that run as one execution, `count` times.
struct WarmupSample {
  std::string name;
  int count = 1;
  std::vector<DirectRequest> requests;
};

/// The samples of the definition's model_warmup, held against the signature; data files are read from the `warmup`
/// folder of the model's. As in Triton, batch_size is the number of requests of one row and a sample with none is left
/// out.
Result<std::vector<WarmupSample>> warmup_samples(const ModelDefinition& definition, const Signature& signature,
                                                 const std::string& model_directory);

/// Runs every sample on an instance. The first failure ends it and names the sample.
Status run_warmup(BackendInstance& instance, const ModelDefinition& definition, int64_t version,
                  const std::vector<WarmupSample>& samples);

/// Runs an instance a few times with made-up rows, alone and (with `batch` above 1) together, so that what a runtime
/// does at first use is done before the first request. What fails is left alone: the values are made up.
void run_default_warmup(BackendInstance& instance, const ModelDefinition& definition, int64_t version,
                        const Signature& signature, bool batched, int64_t open_size, int64_t batch);

}  // namespace modelmill
