#include "lifecycle/adapting_instance.h"

#include <algorithm>
#include <utility>

namespace modelmill {
namespace {

struct Reshape {
  std::string name;
  Shape outer;  // clients
  Shape inner;  // the runtime
};

/// What is the same for all requests of a model. Immutable, shared by instances and answers on their way.
struct Adaptation {
  std::string model;
  bool batched = false;
  std::vector<Reshape> inputs, outputs;
  std::vector<std::string> output_names;
};

const Reshape* find(const std::vector<Reshape>& reshapes, const std::string& name) {
  for (const Reshape& reshape : reshapes)
    if (reshape.name == name) return &reshape;
  return nullptr;
}

/// Turns the runtime's output shapes into the clients' before the client sees them.
class AdaptingSink final : public ResponseSink {
 public:
  explicit AdaptingSink(std::shared_ptr<const Adaptation> adaptation) : adaptation_(std::move(adaptation)) {}

  /// Whom the answers are for; set before there are any.
  void set_next(std::shared_ptr<ResponseSink> next) { next_ = std::move(next); }

  void on_response(InferResponse response, bool final, bool has_response) override {
    for (Tensor& output : response.outputs) {
      const Reshape* reshape = find(adaptation_->outputs, output.name);
      if (reshape == nullptr) continue;
      if (auto shape = reshaped(reshape->inner, reshape->outer, output.shape, adaptation_->batched)) {
        output.shape = *std::move(shape);
        continue;
      }
      response.status = internal("model '" + adaptation_->model + "': output '" + output.name + "' came with shape " +
                                 shape_text(dims(output.shape)) + ", which the configured reshape " +
                                 shape_text(dims(reshape->inner)) + " does not allow");
      response.outputs.clear();
      break;
    }
    next_->on_response(std::move(response), final, has_response);
  }

 private:
  std::shared_ptr<const Adaptation> adaptation_;
  std::shared_ptr<ResponseSink> next_;
};

class AdaptingInstance final : public BackendInstance {
 public:
  AdaptingInstance(std::unique_ptr<BackendInstance> instance, std::shared_ptr<const Adaptation> adaptation)
      : instance_(std::move(instance)), adaptation_(std::move(adaptation)) {}

  void execute(std::vector<InferRequestPtr> requests, Done done) override {
    std::vector<InferRequestPtr> adapted;
    adapted.reserve(requests.size());
    for (InferRequestPtr& request : requests) {
      if (const Status status = adapt(*request); status.ok())
        adapted.push_back(std::move(request));
      else
        request->fail(status);
    }
    if (adapted.empty()) return done({});
    instance_->execute(std::move(adapted), std::move(done));
  }

 private:
  Status adapt(InferRequest& request) const {
    for (Tensor& input : request.inputs) {
      const Reshape* reshape = find(adaptation_->inputs, input.name);
      if (reshape == nullptr) continue;
      auto shape = reshaped(reshape->outer, reshape->inner, input.shape, adaptation_->batched);
      if (!shape)
        return invalid_argument("input '" + input.name + "' has shape " + shape_text(dims(input.shape)) +
                                ", which can't be reshaped from " + shape_text(dims(reshape->outer)) + " to " +
                                shape_text(dims(reshape->inner)));
      input.shape = *std::move(shape);
    }
    if (request.outputs.empty())
      for (const std::string& name : adaptation_->output_names) request.outputs.push_back({name, 0});
    if (!adaptation_->outputs.empty()) {
      auto sink = std::make_shared<AdaptingSink>(adaptation_);
      sink->set_next(request.replace_sink(sink));
    }
    return ok_status();
  }

  std::unique_ptr<BackendInstance> instance_;
  std::shared_ptr<const Adaptation> adaptation_;
};

std::vector<Reshape> reshapes_of(const std::vector<ConfiguredTensor>& tensors) {
  std::vector<Reshape> out;
  for (const ConfiguredTensor& tensor : tensors)
    if (tensor.reshape) out.push_back({tensor.name, tensor.dims, *tensor.reshape});
  return out;
}

}  // namespace

std::optional<Shape> reshaped(const Shape& from, const Shape& to, const Shape& actual, bool batched) {
  const size_t skip = batched ? 1 : 0;
  if (actual.size() != from.size() + skip) return std::nullopt;
  boost::container::small_vector<int64_t, 4> sizes;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] == -1)
      sizes.push_back(actual[i + skip]);
    else if (from[i] != actual[i + skip])
      return std::nullopt;
  }
  Shape out;
  if (batched) out.push_back(actual[0]);
  size_t next = 0;
  for (const int64_t d : to) {
    if (d == -1 && next == sizes.size()) return std::nullopt;
    out.push_back(d == -1 ? sizes[next++] : d);
  }
  return out;
}

bool needs_adapting(const ModelDefinition& definition, const Signature& model) {
  const auto has_reshape = [](const ConfiguredTensor& tensor) { return tensor.reshape.has_value(); };
  return std::any_of(definition.inputs.begin(), definition.inputs.end(), has_reshape) ||
         std::any_of(definition.outputs.begin(), definition.outputs.end(), has_reshape) ||
         (!definition.outputs.empty() && definition.outputs.size() < model.outputs.size());
}

std::unique_ptr<BackendInstance> adapt_instance(std::unique_ptr<BackendInstance> instance,
                                                const ModelDefinition& definition, bool batched) {
  auto adaptation = std::make_shared<Adaptation>();
  adaptation->model = definition.name;
  adaptation->batched = batched;
  adaptation->inputs = reshapes_of(definition.inputs);
  adaptation->outputs = reshapes_of(definition.outputs);
  for (const ConfiguredTensor& output : definition.outputs) adaptation->output_names.push_back(output.name);
  return std::make_unique<AdaptingInstance>(std::move(instance), std::move(adaptation));
}

}  // namespace modelmill
