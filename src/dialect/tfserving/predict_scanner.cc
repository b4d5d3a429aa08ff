#include "dialect/tfserving/predict_scanner.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dialect/proto_wire.h"

namespace modelmill::tfserving {
namespace {

// PredictRequest
constexpr uint32_t kModelSpec = wire_tag(1, WireType::kBytes);
constexpr uint32_t kInputs = wire_tag(2, WireType::kBytes);
constexpr uint32_t kOutputFilter = wire_tag(3, WireType::kBytes);
// An entry of its map
constexpr uint32_t kKey = wire_tag(1, WireType::kBytes);
constexpr uint32_t kValue = wire_tag(2, WireType::kBytes);
// TensorProto
constexpr uint32_t kContent = wire_tag(4, WireType::kBytes);
constexpr uint32_t kFloats = wire_tag(5, WireType::kBytes);
constexpr uint32_t kDoubles = wire_tag(6, WireType::kBytes);

}  // namespace

void PredictScanner::begin(size_t length) {
  model_spec_.clear();
  has_model_spec_ = false;
  output_filter_.clear();
  tensors_.clear();
  filling_ = {};
  level_ = kRequest;
  left_in_[kRequest] = length;
  begin_varint(State::kTag);
}

bool PredictScanner::take_varint(uint8_t byte) {
  spend(1);
  if (shift_ > 63) {
    state_ = State::kBroken;
    return false;
  }
  varint_ |= static_cast<uint64_t>(byte & 0x7f) << shift_;
  shift_ += 7;
  return byte < 0x80;
}

void PredictScanner::keep_varint(uint64_t value) {
  std::byte encoded[10];
  ProtoWriter writer(encoded);
  writer.varint(value);
  auto& fields = tensors_.back().fields;
  fields.insert(fields.end(), reinterpret_cast<char*>(encoded), reinterpret_cast<char*>(writer.at()));
}

void PredictScanner::next_field() {
  while (level_ > kRequest && left_in_[level_] == 0) --level_;
  begin_varint(State::kTag);
}

void PredictScanner::on_tag() {
  tag_ = static_cast<uint32_t>(varint_);
  if ((tag_ >> 3) == 0) {
    state_ = State::kBroken;
    return;
  }
  const bool apart = tag_ == kContent || tag_ == kFloats || tag_ == kDoubles;
  if (level_ == kTensor && !apart) keep_varint(tag_);
  switch (static_cast<WireType>(tag_ & 7)) {
    case WireType::kVarint: begin_varint(State::kVarint); break;
    case WireType::kBytes: begin_varint(State::kLength); break;
    case WireType::kFixed64:
    case WireType::kFixed32:
      left_ = (tag_ & 7) == static_cast<uint32_t>(WireType::kFixed64) ? 8 : 4;
      copy_ = nullptr;
      state_ = left_ > left_in_[level_] ? State::kBroken : State::kFixed;
      break;
    default: state_ = State::kBroken;
  }
}

/// The value is a message; `left_` is its length.
void PredictScanner::enter() {
  left_in_[++level_] = left_;
  next_field();
}

void PredictScanner::on_entry_length() {
  if (tag_ == kValue) return enter();
  copy_ = nullptr;
  if (tag_ == kKey) {
    copy_ = &tensors_.back().name;
    copy_->clear();
  }
  state_ = State::kCopy;
}

void PredictScanner::on_tensor_length() {
  if (tag_ == kContent || tag_ == kFloats || tag_ == kDoubles) {
    filling_ = Memory::allocate(left_);
    filled_ = 0;
    state_ = State::kContent;
  } else {
    keep_varint(left_);
    state_ = State::kCopy;
  }
}

void PredictScanner::on_length() {
  left_ = varint_;
  if (left_ > left_in_[level_]) {
    state_ = State::kBroken;
    return;
  }
  if (level_ == kEntry) {
    on_entry_length();
  } else if (level_ == kTensor) {
    on_tensor_length();
  } else if (tag_ == kInputs) {
    tensors_.emplace_back();
    return enter();
  } else {
    copy_ = nullptr;
    if (tag_ == kModelSpec) copy_ = &model_spec_;  // two messages one after the other are one
    if (tag_ == kModelSpec) has_model_spec_ = true;
    if (tag_ == kOutputFilter) copy_ = &output_filter_.emplace_back();
    state_ = State::kCopy;
  }
  if (left_ != 0 || state_ == State::kTag) return;
  if (state_ == State::kContent) finish_content();
  next_field();
}

void PredictScanner::finish_content() {
  ScannedTensor& tensor = tensors_.back();
  if (tag_ == kContent) tensor.content = Bytes(std::move(filling_));
  if (tag_ == kFloats) tensor.packed_floats.emplace_back(std::move(filling_));
  if (tag_ == kDoubles) tensor.packed_doubles.emplace_back(std::move(filling_));
}

void PredictScanner::feed(std::span<const std::byte> bytes) {
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint8_t* const end = at + bytes.size();
  while (at != end && state_ != State::kBroken) {
    if (left_in_[level_] == 0) {
      state_ = State::kBroken;
      break;
    }
    switch (state_) {
      case State::kTag:
        if (take_varint(*at++)) on_tag();
        break;
      case State::kVarint:
        if (level_ == kTensor) tensors_.back().fields.push_back(static_cast<char>(*at));
        if (take_varint(*at++)) next_field();
        break;
      case State::kLength:
        if (take_varint(*at++)) on_length();
        break;
      case State::kFixed:
      case State::kCopy:
      case State::kContent: {
        const size_t n = std::min<uint64_t>(left_, static_cast<uint64_t>(end - at));
        if (state_ == State::kContent) {
          std::memcpy(filling_->data() + filled_, at, n);
          filled_ += n;
        } else if (level_ == kTensor) {
          tensors_.back().fields.insert(tensors_.back().fields.end(), at, at + n);
        } else if (copy_ != nullptr) {
          copy_->append(reinterpret_cast<const char*>(at), n);
        }
        at += n;
        left_ -= n;
        spend(n);
        if (left_ != 0) break;
        if (state_ == State::kContent) finish_content();
        next_field();
        break;
      }
      case State::kBroken: break;
    }
  }
}

Status PredictScanner::end() {
  if (state_ == State::kTag && shift_ == 0 && level_ == kRequest && left_in_[kRequest] == 0) return ok_status();
  state_ = State::kBroken;
  return invalid_argument(
      "the request is no valid PredictRequest: its bytes do not parse as a protobuf message; check the client's proto "
      "files, or whether something on the way cut or changed the message");
}

size_t PredictScanner::unparsed_bytes() const {
  size_t bytes = 0;
  for (const ScannedTensor& tensor : tensors_) bytes += tensor.fields.size();
  return bytes;
}

}  // namespace modelmill::tfserving
