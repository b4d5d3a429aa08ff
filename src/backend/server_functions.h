#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "request/infer_request.h"

namespace modelmill {

/// What a model's code wants of another model: that it be loaded, or taken from clients.
struct ModelChange {
  enum class Action { kLoad, kUnload, kUnloadWithMembers };

  Action action = Action::kLoad;
  std::string caller;  // the model whose code asks
  std::string model;
  /// Of a load: as in ModelLoad.
  std::string config_json = {};
  std::map<std::string, std::string> files = {};
};

/// What backends may ask of the server that they are in, for their models. Each may be null: then the server does not
/// have it. Thread-safe; none waits.
struct ServerFunctions {
  /// Runs another model's request. `decoupled_refusal`: what a model with any number of answers is refused with; null:
  /// it is not.
  std::function<void(InferRequestPtr, const char* decoupled_refusal)> call_model;
  /// `done` is called once, on any thread, maybe before it returns.
  std::function<void(ModelChange, std::function<void(Status)> done)> change_model;
  /// Whether the model can be asked now; version 0: by default.
  std::function<bool(const std::string& model, int64_t version)> model_ready;
};

}  // namespace modelmill
