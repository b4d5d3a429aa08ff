#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/server_link.h"
#include "model/signature.h"

namespace modelmill {

/// One line of a server's repository index.
struct IndexEntry {
  std::string name;
  std::string version;
  std::string state;   // "READY", "LOADING", "UNAVAILABLE", ...
  std::string reason;  // why not ready
};

/// What a server tells of a model's version over KServe V2.
struct ModelInfo {
  std::string name;
  std::string platform;
  std::vector<std::string> versions;
  Signature signature;
  int64_t max_batch_size = 0;
  int64_t instances = 0;
  std::string unbatched_reason;
};

Result<std::vector<IndexEntry>> read_index(ServerLink& link);

/// Metadata alone: name, platform, versions, signature. `version` 0 or empty text: the default one.
Result<ModelInfo> read_metadata(ServerLink& link, const std::string& model, const std::string& version);

/// Metadata and what the configuration says of batching and instances.
Result<ModelInfo> read_model(ServerLink& link, const std::string& model, const std::string& version);

/// How one of a model's other entry points runs.
struct SignatureInfo {
  std::string name;
  Signature signature;
  int64_t max_rows = 0;
  int64_t instances = 0;
  std::string unbatched_reason;
  std::string learned;
};

/// What only this kind of server tells; all empty of others.
struct ExplainedInfo {
  std::string learned;         // in a line; empty when that is nothing
  std::string signature_name;  // of the entry point of requests that name none; empty: it has none
  std::vector<SignatureInfo> other_signatures;
};
ExplainedInfo read_explained(ServerLink& link, const std::string& model, const std::string& version);

/// "/v2/models/NAME[/versions/V]", with the name escaped.
std::string model_path(std::string_view prefix, std::string_view model, std::string_view version);

}  // namespace modelmill
