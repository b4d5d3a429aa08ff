#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/personality/personality.h"

namespace modelmill::personality {

/// What the flags of KServe's runtimes have said so far, with their defaults.
struct KserveDraft {
  Launch launch;

  std::string address = "0.0.0.0";
  int http_port = 8080;
  int grpc_port = 8081;
  int workers = 1;
  bool grpc = true;
  int keep_alive_seconds = -1;  // below 0: not said
  int64_t message_bytes = 0;    // 0: not said
  std::string model_name = "model";
  std::string model_dir = "/mnt/models";
  int threads = 0;  // 0: not said
};

/// A flag of KServe's runtimes. `apply` sees each of its values; that of a flag without one is empty.
struct KserveFlag : FlagText {
  Status (*apply)(KserveDraft& draft, const std::string& text) = nullptr;
};

std::vector<KserveFlag> kserve_server_flags();     // of every runtime
std::vector<KserveFlag> kserve_predictor_flags();  // of those that call a predictor
std::vector<KserveFlag> kserve_model_flags();      // of single runtimes

/// Every flag, in that order.
const std::vector<KserveFlag>& kserve_flags();

}  // namespace modelmill::personality
