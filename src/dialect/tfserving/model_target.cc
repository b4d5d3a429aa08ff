#include "dialect/tfserving/model_target.h"

#include <utility>

#include "dialect/proto_wire.h"

namespace modelmill::tfserving {
namespace {

constexpr const char* kDefaultSignature = "serving_default";

Status broken_spec() {
  return invalid_argument("the request's ModelSpec does not parse as a protobuf message; check the client's protos");
}

}  // namespace

Result<ModelTarget> read_model_spec(std::string_view bytes) {
  ModelTarget target;
  ProtoReader reader(bytes);
  while (reader.next()) {
    if (reader.is(1, WireType::kBytes)) target.model = reader.bytes();
    if (reader.is(3, WireType::kBytes)) target.signature = reader.bytes();
    if (reader.is(2, WireType::kBytes)) {
      target.label.clear();
      target.version = 0;
      ProtoReader value(reader.bytes());
      while (value.next())
        if (value.is(1, WireType::kVarint)) target.version = static_cast<int64_t>(value.value());
      if (!value.ok()) return broken_spec();
    }
    if (reader.is(4, WireType::kBytes)) {
      target.version.reset();
      target.label = reader.bytes();
    }
  }
  if (!reader.ok()) return broken_spec();
  return target;
}

ModelTarget routed_target(const ModelTarget& target, const RoutedRequestPtr& routed) {
  if (!routed) return target;
  const RouteTarget& to = routed->target();
  return {to.model, to.version == 0 ? std::nullopt : std::optional(to.version), to.label, target.signature};
}

RoutedRequestPtr find_route(Inference& inference, const ModelTarget& target, const RequestFacts& facts) {
  return target.version || !target.label.empty() ? nullptr : inference.route(target.model, facts);
}

Result<VersionPin> pin_target(const Catalog& catalog, const ModelTarget& target) {
  if (target.model.empty()) return invalid_argument("ModelSpec has no name specified.");
  const bool by_label = !target.label.empty();
  // 0 is a version to TensorFlow Serving, and to the catalog the default.
  Result<VersionPin> pin =
      by_label ? catalog.pin(target.model, target.label) : catalog.pin(target.model, target.version.value_or(0));
  const bool no_zero = target.version && *target.version <= 0;
  if (pin.ok() && !no_zero) return pin;
  const Code code = pin.ok() ? Code::kNotFound : pin.status().code();
  if (code == Code::kUnavailable) return pin.status();
  if (by_label) return invalid_argument("Unrecognized servable version label: " + target.label);
  return not_found("Servable not found for request: " +
                   (target.version ? "Specific(" + target.model + ", " + std::to_string(*target.version) + ")"
                                   : "Latest(" + target.model + ")"));
}

Result<VersionPin> pin_target(const Catalog& catalog, const ModelTarget& target, const RoutedRequestPtr& routed) {
  if (!routed) return pin_target(catalog, target);
  return pin_along(*routed, catalog,
                   [&](const RouteTarget&) { return pin_target(catalog, routed_target(target, routed)); });
}

void pin_when_loaded(Inference& inference, const ModelTarget& target, const RoutedRequestPtr& routed,
                     TimePoint deadline, std::shared_ptr<CancelToken> cancel, uint64_t bytes,
                     std::function<void(Result<VersionPin>)> done) {
  Result<VersionPin> pin = pin_target(inference.catalog(), target, routed);
  const std::string& asked = routed ? routed->target().model : target.model;
  if (pin.ok() || !inference.loads_on_demand(asked)) return done(std::move(pin));
  inference.wait_for_model({asked, deadline, std::move(cancel), bytes,
                            [&inference, target, routed, done = std::move(done)](const Status& status) {
                              done(status.ok() ? pin_target(inference.catalog(), target, routed) : status);
                            }});
}

std::string signature_name(const ModelVersion& version) {
  const std::string& name = version.description().signature_name;
  return name.empty() ? kDefaultSignature : name;
}

const ModelVersion* find_signature(const ModelVersion& version, std::string_view name) {
  if (name.empty() || name == signature_name(version)) return &version;
  if (const ModelVersion* const entry = version.entry(name)) return entry;
  return name == kDefaultSignature ? &version : nullptr;
}

void aim_at(const ModelVersion& entry, const ModelVersion& version, InferRequest& request) {
  if (&entry != &version) request.parameters.set(std::string(kSignatureParameter), signature_name(entry));
}

std::string aimed_at(const ModelVersion& version, const InferRequest& request) {
  const ParameterValue* const named = request.parameters.find(kSignatureParameter);
  const auto* const name = named == nullptr ? nullptr : std::get_if<std::string>(named);
  return name == nullptr ? signature_name(version) : *name;
}

}  // namespace modelmill::tfserving
