#include "serve/shadow_sample.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "request/background.h"

namespace modelmill {
namespace {

/// A block may be so much larger than the view of it.
constexpr size_t kSlack = 4096;

void copy_data(Tensor& tensor) {
  const MemoryRef memory = Memory::allocate(tensor.byte_size());
  size_t at = 0;
  for (const Bytes& chunk : tensor.data) {
    if (!chunk.empty()) std::memcpy(memory->data() + at, chunk.data(), chunk.size());
    at += chunk.size();
  }
  tensor.data.clear();
  tensor.data.emplace_back(memory);
}

bool is_loose(const Bytes& bytes) {
  return !bytes.memory() || bytes.memory()->size() > bytes.size() + bytes.size() / 2 + kSlack;
}

}  // namespace

Duration execution_of(const RequestTimes& times) {
  if (times.compute_start == TimePoint{} || times.compute_end < times.compute_start) return {};
  return times.compute_end - times.compute_start;
}

int64_t memory_of(const std::vector<Tensor>& tensors) {
  std::vector<const Memory*> seen;
  size_t bytes = 0;
  for (const Tensor& tensor : tensors)
    for (const Bytes& chunk : tensor.data) {
      const Memory* memory = chunk.memory().get();
      if (memory == nullptr) continue;
      if (std::find(seen.begin(), seen.end(), memory) != seen.end()) continue;
      seen.push_back(memory);
      bytes += std::max(memory->size(), chunk.size());
    }
  return static_cast<int64_t>(bytes);
}

std::vector<size_t> ShadowSample::choose(const Route& route, size_t arm, const InferRequest& request,
                                         double (*random)()) {
  std::vector<size_t> chosen;
  // What is a part of a sequence means nothing to another model, which has not seen the rest.
  if (request.sequence.present()) return chosen;
  for (size_t i = 0; i < route.shadows().size(); ++i)
    if (route.is_copied(route.shadows()[i], arm, random())) chosen.push_back(i);
  return chosen;
}

ShadowSample::ShadowSample(std::shared_ptr<const Route> route, std::vector<size_t> shadows, size_t arm,
                           const InferRequest& request)
    : route_(std::move(route)),
      shadows_(std::move(shadows)),
      arm_(arm),
      id_(request.id),
      parameters_(request.parameters),
      inputs_(request.inputs.begin(), request.inputs.end()),
      trace_(request.trace) {
  for (const RequestedOutput& output : request.outputs) requested_.push_back(output.name);
}

void ShadowSample::take_answer(const InferResponse& response, size_t arm, int64_t version) {
  outputs_.assign(response.outputs.begin(), response.outputs.end());
  execution_ = execution_of(response.times);
  arm_ = arm;
  version_ = version;
  std::erase_if(shadows_, [this](size_t shadow) { return !route_->is_copied(route_->shadows()[shadow], arm_, 0); });
}

int64_t ShadowSample::held_bytes() const { return memory_of(inputs_) + memory_of(outputs_); }

void ShadowSample::compact() {
  for (Tensor& input : inputs_)
    if (std::any_of(input.data.begin(), input.data.end(), is_loose)) copy_data(input);
  for (Tensor& output : outputs_) copy_data(output);
}

InferRequestPtr ShadowSample::make_request(const RouteShadow& shadow, std::shared_ptr<ResponseSink> sink) const {
  InferRequestPtr request = request_for(shadow.to, shadow, std::move(sink));
  request->parameters = parameters_;
  request->inputs.assign(inputs_.begin(), inputs_.end());
  for (const std::string& output : requested_) request->outputs.push_back({output, 0});
  return request;
}

InferRequestPtr ShadowSample::make_comparison(const Route::Shadow& shadow, std::shared_ptr<ResponseSink> sink,
                                              Tensor packed) const {
  InferRequestPtr request = request_for(*shadow.function, shadow.definition, std::move(sink));
  request->inputs.push_back(std::move(packed));
  return request;
}

InferRequestPtr ShadowSample::request_for(const RouteTarget& target, const RouteShadow& shadow,
                                          std::shared_ptr<ResponseSink> sink) const {
  auto request = std::make_unique<InferRequest>(std::move(sink));
  request->model = target.model;
  request->version = target.version;
  request->label = target.label;
  request->id = id_;
  request->priority = kBackgroundPriority;
  request->trace = trace_;
  request->times.received = Clock::now();
  request->deadline = request->times.received + shadow.timeout;
  request->cancel = std::make_shared<CancelToken>();
  return request;
}

}  // namespace modelmill
