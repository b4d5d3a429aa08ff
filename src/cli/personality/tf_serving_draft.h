#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/personality/personality.h"

namespace modelmill::personality {

/// What the flags of tensorflow_model_server have said so far, with its defaults.
struct TfServingDraft {
  Launch launch;

  std::string address = "0.0.0.0";
  int port = 8500;
  std::string socket_path;
  int rest_port = 0;
  bool cors = false;
  int rest_timeout_ms = 30'000;
  bool batching = false;
  std::string batching_file;
  bool own_batching = false;
  std::string config_file;
  std::string model_name = "default";
  std::string base_path;
  int poll_seconds = 1;
  int load_threads = 0;
  int load_retries = 5;
  int64_t retry_interval_us = 60'000'000;
  int session_parallelism = 0;
  int intra_op_parallelism = 0;
  int inter_op_parallelism = 0;
  std::string tags;
  bool alts = false;
  std::string ssl_file;
  std::string monitoring_file;
  bool version = false;
};

/// A flag of tensorflow_model_server. `apply` sees each of its values.
struct TfServingFlag : FlagText {
  Status (*apply)(TfServingDraft& draft, const std::string& text) = nullptr;
};

/// Every flag, in the order of its usage.
const std::vector<TfServingFlag>& tf_serving_flags();

}  // namespace modelmill::personality
