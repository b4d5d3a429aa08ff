// The warm-up records of a SavedModel, as the server reads them.
#include "base/check.h"
#include "lifecycle/tf_records.h"
#include "model/tf_tensor_proto.h"
#include "targets.h"
#include "tf_warmup.pb.h"

namespace modelmill::fuzz {

void tf_warmup(std::string_view bytes) {
  const auto records = read_tf_records(bytes, 3);
  MM_CHECK(records.ok() || !records.status().message().empty(), "an error says why");
  modelmill::tf_warmup::PredictionLog log;
  if (!log.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  for (const auto& [name, proto] : log.predict_log().request().inputs()) {
    const auto tensor = tensor_of_proto(name, proto);
    if (tensor.ok())
      MM_CHECK(check_tensor_bytes(*tensor).ok(), "a tensor's bytes are those of its shape");
    else
      MM_CHECK(!tensor.status().message().empty(), "an error says why");
  }
}

}  // namespace modelmill::fuzz
