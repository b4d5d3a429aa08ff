#include "dialect/kserve_v2/infer_scanner.h"

#include <algorithm>
#include <cstring>

#include "dialect/proto_wire.h"

namespace modelmill::kserve_v2 {
namespace {

constexpr uint32_t kRawContentsTag = wire_tag(7, WireType::kBytes);

}  // namespace

void InferScanner::begin(size_t length) {
  fields_.clear();
  raw_.clear();
  filling_ = {};
  message_left_ = length;
  begin_varint(State::kTag);
}

bool InferScanner::take_varint(uint8_t byte) {
  if (shift_ > 63) {
    state_ = State::kBroken;
    return false;
  }
  varint_ |= static_cast<uint64_t>(byte & 0x7f) << shift_;
  shift_ += 7;
  return byte < 0x80;
}

void InferScanner::on_tag() {
  tag_ = static_cast<uint32_t>(varint_);
  if ((tag_ >> 3) == 0) {
    state_ = State::kBroken;
    return;
  }
  if (tag_ != kRawContentsTag) {
    std::byte encoded[10];
    ProtoWriter writer(encoded);
    writer.varint(tag_);
    fields_.insert(fields_.end(), reinterpret_cast<char*>(encoded), reinterpret_cast<char*>(writer.at()));
  }
  switch (static_cast<WireType>(tag_ & 7)) {
    case WireType::kVarint: begin_varint(State::kVarint); break;
    case WireType::kBytes: begin_varint(State::kLength); break;
    case WireType::kFixed64:
      left_ = 8;
      state_ = State::kFixed;
      break;
    case WireType::kFixed32:
      left_ = 4;
      state_ = State::kFixed;
      break;
    default: state_ = State::kBroken;
  }
}

void InferScanner::on_length() {
  left_ = varint_;
  if (left_ > message_left_) {
    state_ = State::kBroken;
  } else if (tag_ == kRawContentsTag) {
    filling_ = Memory::allocate(left_);
    filled_ = 0;
    state_ = State::kRaw;
  } else {
    std::byte encoded[10];
    ProtoWriter writer(encoded);
    writer.varint(left_);
    fields_.insert(fields_.end(), reinterpret_cast<char*>(encoded), reinterpret_cast<char*>(writer.at()));
    state_ = State::kCopy;
  }
  if (left_ != 0 || state_ == State::kBroken) return;
  if (state_ == State::kRaw) raw_.emplace_back(std::move(filling_));
  begin_varint(State::kTag);
}

void InferScanner::feed(std::span<const std::byte> bytes) {
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint8_t* const end = at + bytes.size();
  if (bytes.size() > message_left_) state_ = State::kBroken;
  while (at != end && state_ != State::kBroken) {
    switch (state_) {
      case State::kTag:
        --message_left_;
        if (take_varint(*at++)) on_tag();
        break;
      case State::kVarint:
        --message_left_;
        fields_.push_back(static_cast<char>(*at));
        if (take_varint(*at++)) begin_varint(State::kTag);
        break;
      case State::kLength:
        --message_left_;
        if (take_varint(*at++)) on_length();
        break;
      case State::kFixed:
      case State::kCopy:
      case State::kRaw: {
        const size_t n = std::min<uint64_t>(left_, static_cast<uint64_t>(end - at));
        if (state_ == State::kRaw) {
          std::memcpy(filling_->data() + filled_, at, n);
          filled_ += n;
        } else {
          fields_.insert(fields_.end(), at, at + n);
        }
        at += n;
        left_ -= n;
        message_left_ -= n;
        if (left_ != 0) break;
        if (state_ == State::kRaw) raw_.emplace_back(std::move(filling_));
        begin_varint(State::kTag);
        break;
      }
      case State::kBroken: break;
    }
  }
}

Status InferScanner::end() {
  if (state_ == State::kTag && shift_ == 0 && message_left_ == 0) return ok_status();
  state_ = State::kBroken;
  return invalid_argument(
      "the request is no valid ModelInferRequest: its bytes do not parse as a protobuf message; check the client's "
      "proto files, or whether something on the way cut or changed the message");
}

}  // namespace modelmill::kserve_v2
