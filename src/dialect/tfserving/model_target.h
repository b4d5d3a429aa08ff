#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/model_version.h"
#include "serve/inference.h"

namespace modelmill::tfserving {

/// What a ModelSpec, or a path, says of whom to ask.
struct ModelTarget {
  std::string model;
  std::optional<int64_t> version;
  std::string label;      // instead of a version; empty: none
  std::string signature;  // empty: the default
};

/// Reads a serialised ModelSpec.
Result<ModelTarget> read_model_spec(std::string_view bytes);

/// What is asked in the place of a route's name; `target` itself where there is no way.
ModelTarget routed_target(const ModelTarget& target, const RoutedRequestPtr& routed);
/// The way of a request for `target`; null: it names a model, or a version.
RoutedRequestPtr find_route(Inference& inference, const ModelTarget& target, const RequestFacts& facts);

/// Pins who is meant. Errors have TensorFlow Serving's codes and words, which its clients match on; UNAVAILABLE for
/// one that is known and not ready.
Result<VersionPin> pin_target(const Catalog& catalog, const ModelTarget& target);

/// The same along a route (null: there is none).
Result<VersionPin> pin_target(const Catalog& catalog, const ModelTarget& target, const RoutedRequestPtr& routed);

/// The same, and if the model loads on demand, when it has. `done` is called once, now or on any thread; `bytes` is
/// what is held meanwhile. With a cancelled token it may not be called at all.
void pin_when_loaded(Inference& inference, const ModelTarget& target, const RoutedRequestPtr& routed,
                     TimePoint deadline, std::shared_ptr<CancelToken> cancel, uint64_t bytes,
                     std::function<void(Result<VersionPin>)> done);

/// The name of the entry point that `version` is: that of a SavedModel's signature, "serving_default" of other models.
std::string signature_name(const ModelVersion& version);
/// The entry point of `version` that a client means by `name`; null: there is none. The empty name is that of
/// `version` itself, and so is "serving_default" where no other one is called so.
const ModelVersion* find_signature(const ModelVersion& version, std::string_view name);
/// Has `request`, which `version` is to be given, run by its entry point `entry`.
void aim_at(const ModelVersion& entry, const ModelVersion& version, InferRequest& request);
/// The name of the entry point of `version` that runs `request`.
std::string aimed_at(const ModelVersion& version, const InferRequest& request);

}  // namespace modelmill::tfserving
