#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "lifecycle/warmup.h"
#include "model/definition.h"
#include "model/signature.h"

namespace modelmill {

/// The entry point that is warmed up.
struct WarmedEntry {
  const Signature& signature;
  std::string name;  // empty: it has none
  bool batched;
};

/// Adds the requests that a SavedModel brings with it for its warm-up, as TensorFlow Serving reads them: the TFRecord
/// file assets.extra/tf_serving_warmup_requests, at most 1000 records, each to be run `iterations` times. Those of the
/// entry point's name are taken, predictions by their tensors, classifications and regressions where the signature has
/// one input of strings; the others are counted in the log. `model_file`: the SavedModel's folder or a file in it; of
/// other models any. An error, as there, for a record that is broken or does not fit the signature. False: there is no
/// such file.
Result<bool> add_tf_warmup(const std::string& model_file, const ModelDefinition& definition, const WarmedEntry& entry,
                           int iterations, std::vector<WarmupSample>& samples);

}  // namespace modelmill
