#include "cache/cached_answer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "cache/byte_hash.h"
#include "request/open_parameter.h"

namespace modelmill {
namespace {

/// Of an entry in a table: its nodes, and what the allocator adds to them.
constexpr uint64_t kEntryBytes = 192;
/// Of a piece of memory: its header.
constexpr uint64_t kMemoryBytes = kAlignment + 16;

uint64_t seed_of_this_process() {
  static const uint64_t seed = [] {
    std::random_device random;
    return (uint64_t{random()} << 32) | random();
  }();
  return seed;
}

void add(ByteHash& hash, const ParameterValue& value) {
  hash.add(value.index());
  std::visit(
      [&hash](const auto& v) {
        using Value = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<Value, std::string>)
          hash.add(std::string_view(v));
        else if constexpr (std::is_same_v<Value, double>)
          hash.add(std::bit_cast<uint64_t>(v));
        else
          hash.add(static_cast<uint64_t>(v));
      },
      value);
}

/// Has an id that counts.
bool names_itself(const InferRequest& request) {
  return !request.id.empty() && request.parameters.find(kOpenRequest) != nullptr;
}

uint64_t count_of(const Parameters& parameters) { return static_cast<uint64_t>(parameters.end() - parameters.begin()); }

bool same(const Parameters& a, const Parameters& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

/// However either is cut into chunks.
bool same_bytes(const Tensor& a, const Tensor& b) {
  if (a.byte_size() != b.byte_size()) return false;
  const Bytes left = a.contiguous(), right = b.contiguous();
  return left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape && same_bytes(a, b);
}

/// In memory that is ours and has little else in it.
bool may_stay(const Bytes& bytes) {
  const MemoryRef& memory = bytes.memory();
  return memory && memory->is_ours() && memory->size() - bytes.size() <= bytes.size() / 8 + kAlignment;
}

/// Has the tensor's bytes last; how many it holds then.
uint64_t make_lasting(Tensor& tensor) {
  Bytes bytes = tensor.contiguous();
  tensor.data.clear();
  if (!bytes.empty()) tensor.data.push_back(may_stay(bytes) ? std::move(bytes) : Bytes::copy_of(bytes.view()));
  tensor.data.shrink_to_fit();
  const uint64_t data = tensor.data.empty() ? 0 : tensor.data.front().memory()->size() + kMemoryBytes;
  return data + tensor.name.capacity() + tensor.shape.capacity() * sizeof(int64_t) + sizeof(Tensor);
}

uint64_t bytes_of(const Parameters& parameters) {
  uint64_t bytes = 0;
  for (const auto& [name, value] : parameters) {
    bytes += sizeof(std::pair<std::string, ParameterValue>) + name.capacity();
    if (const auto* text = std::get_if<std::string>(&value)) bytes += text->capacity();
  }
  return bytes;
}

template <typename Tensors>
uint64_t bytes_of(const Tensors& tensors) {
  uint64_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.byte_size();
  return bytes;
}

}  // namespace

CachedAnswer::CachedAnswer(AnswerScope scope, const InferRequest& request)
    : scope_(scope), parameters_(request.parameters), names_itself_(names_itself(request)), inputs_(request.inputs) {
  for (const RequestedOutput& output : request.outputs) wanted_.push_back(output.name);
}

void CachedAnswer::take(const InferResponse& response) {
  outputs_ = response.outputs;
  answer_parameters_ = response.parameters;
  version_ = response.version;
  bytes_ = sizeof *this + kEntryBytes + bytes_of(parameters_) + bytes_of(answer_parameters_);
  for (const std::string& name : wanted_) bytes_ += sizeof(std::string) + name.capacity();
  for (Tensor& tensor : inputs_) bytes_ += make_lasting(tensor);
  for (Tensor& tensor : outputs_) bytes_ += make_lasting(tensor);
}

bool CachedAnswer::is_of(AnswerScope scope, const InferRequest& request) const {
  return scope_ == scope && names_itself_ == names_itself(request) && same(parameters_, request.parameters) &&
         std::equal(wanted_.begin(), wanted_.end(), request.outputs.begin(), request.outputs.end(),
                    [](const std::string& name, const RequestedOutput& output) { return name == output.name; }) &&
         std::equal(inputs_.begin(), inputs_.end(), request.inputs.begin(), request.inputs.end(),
                    [](const Tensor& a, const Tensor& b) { return same(a, b); });
}

InferResponse CachedAnswer::response() const {
  InferResponse response;
  response.outputs = outputs_;
  response.parameters = answer_parameters_;
  response.version = version_;
  return response;
}

uint64_t question_hash(AnswerScope scope, const InferRequest& request) {
  ByteHash hash(seed_of_this_process());
  hash.add(scope.owner);
  hash.add(scope.epoch);
  hash.add(uint64_t{names_itself(request)});
  hash.add(count_of(request.parameters));
  for (const auto& [name, value] : request.parameters) {
    hash.add(std::string_view(name));
    add(hash, value);
  }
  hash.add(request.outputs.size());
  for (const RequestedOutput& output : request.outputs) hash.add(std::string_view(output.name));
  for (const Tensor& input : request.inputs) {
    hash.add(std::string_view(input.name));
    hash.add(static_cast<uint64_t>(input.dtype));
    hash.add(input.shape.size());
    for (const int64_t size : input.shape) hash.add(static_cast<uint64_t>(size));
    for (const Bytes& bytes : input.data) hash.add(bytes.view());
  }
  return hash.value();
}

uint64_t CachedAnswer::question_bytes() const { return bytes_of(inputs_); }

uint64_t answer_bytes(const InferRequest& request) { return bytes_of(request.inputs); }
uint64_t answer_bytes(const InferResponse& response) { return bytes_of(response.outputs); }

}  // namespace modelmill
