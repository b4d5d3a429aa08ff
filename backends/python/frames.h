#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "modelmill/backend.hpp"

// What the server and a worker say to each other. python/modelmill/worker/frames.py is the other side of it. All
// numbers are little-endian and not aligned.

namespace modelmill::python {

/// Raised when a side does not speak it; `modelmill.worker` refuses another number.
inline constexpr uint32_t kProtocolVersion = 2;

enum class FrameType : uint16_t {
  // From the server.
  kHello = 1,         // control: JSON, what to serve
  kExecute = 2,       // data: one execution; the frame's id is the execution's
  kCancel = 3,        // data: nobody wants request [u32] of the execution any more
  kAck = 4,           // data: an answer of request [u32] that was not its last has been taken
  kStop = 5,          // data: finish and exit
  kCallResult = 6,    // control: an answer of another model; the frame's id is the call's
  kModelsResult = 7,  // control: what became of a kModels; the frame's id is that one's
  // From either side: memory [u32 id, u64 size] that comes with the frame as a file descriptor, to be read by the
  // other.
  kRegion = 16,
  // From a worker.
  kReady = 32,         // control: JSON, what the model is
  kFailed = 33,        // control: JSON, why it can't be served
  kResponse = 34,      // data: answers to requests of the execution
  kFree = 35,          // both: the worker has let go of what came with the frame of this id
  kCall = 36,          // control: calls another model
  kMetricNew = 37,     // control: JSON, a metric; the frame's id is the metric's
  kMetricUpdate = 38,  // control: [u64 metric, f64 value]...
  kLog = 39,           // control: [u8 level] text
  kCallCancel = 40,    // control: nobody wants the rest of a call; the frame's id is the call's
  kModels = 41,        // control: loads or unloads a model, or asks whether one is ready
  kReadiness = 42,     // control: text, why the model's code says that it is not ready; empty: it is
};

struct FrameHeader {
  uint32_t size;  // of the whole frame
  uint16_t type;
  uint16_t has_fd;
  uint64_t id;
};
static_assert(sizeof(FrameHeader) == 16);

/// A tensor in shared memory, followed by its `rank` dimensions. A tensor of strings is its element_count + 1 offsets
/// of 64 bits, counted from where its bytes begin, which follow them.
struct __attribute__((packed)) TensorRecord {
  uint16_t index;  // in the model's list of inputs or outputs; of an open signature in the request's or the answer's
  uint8_t dtype;
  uint8_t rank;
  uint32_t region;  // with kServerMemory: one of the server's
  uint64_t offset;
  uint64_t size;
};
inline constexpr uint32_t kServerMemory = 1u << 31;
inline constexpr uint32_t kNoRegion = UINT32_MAX;

struct __attribute__((packed)) ExecuteRecord {
  uint32_t flags;
  uint32_t requests;
  uint32_t tensors;
  uint32_t info_size;  // bytes of JSON behind all others
};
/// The tensors are those of the whole batch, the requests' rows one after another; else each request has its own.
inline constexpr uint32_t kGathered = 1;

struct __attribute__((packed)) RequestRecord {
  uint32_t rows;
  uint32_t tensors;  // 0 when gathered
};

struct __attribute__((packed)) ResponseRecord {
  uint32_t flags;  // kGathered: one entry answers all requests by its rows
  uint32_t entries;
  uint32_t block_region;  // whose first word the server sets to 0 when it has no more use for it; kNoRegion: none
  uint64_t block_offset;
};
/// The worker still looks at the inputs' memory; it tells with kFree when it doesn't.
inline constexpr uint32_t kKeepsInputs = 2;

struct __attribute__((packed)) AnswerRecord {
  uint32_t request;
  uint8_t kind;  // AnswerKind
  uint8_t final;
  uint16_t count;      // tensors, or the error's code
  uint32_t text_size;  // the error's message, or the answer's parameters as a JSON object; of an open signature
                       // {"parameters": {...}, "outputs": [names]}, or {"error": "message", "parameters": {...}}
};
enum class AnswerKind : uint8_t { kOutputs = 0, kError = 1, kEnd = 2 };

struct __attribute__((packed)) CallRecord {
  uint64_t execution;  // on whose behalf; 0: none's
  int64_t version;
  uint32_t block_region;
  uint64_t block_offset;
  uint16_t tensors;
  uint16_t model_size;  // the model's name, then
  uint32_t about_size;  // what goes with the call, a JSON object or nothing, then the tensors, each with [u16 size] its
                        // name behind it
};

struct __attribute__((packed)) CallResultRecord {
  uint64_t keep;  // the id that kFree names; 0: no memory
  uint8_t kind;   // AnswerKind
  uint8_t final;
  uint16_t count;
  uint32_t text_size;  // an error's message; of outputs, behind the tensors, the parameters as a JSON object
};

enum class ModelsAction : uint8_t { kLoad = 1, kUnload = 2, kIsReady = 3, kUnloadWithMembers = 4 };

struct __attribute__((packed)) ModelsRecord {
  uint8_t action;   // ModelsAction
  int64_t version;  // kIsReady; 0: by default
  uint32_t block_region;
  uint64_t block_offset;
  uint16_t files;  // kLoad: tensors of bytes, each with [u16 size] its path behind it
  uint16_t model_size;
  uint32_t config_size;  // the model's name, the configuration, then the files
};

struct __attribute__((packed)) ModelsResultRecord {
  uint16_t code;  // mm_code
  uint8_t ready;
  uint32_t text_size;
};

/// What a worker does that it may not: it is killed then.
class ProtocolError : public backend::Error {
 public:
  explicit ProtocolError(const std::string& what) : Error(MM_INTERNAL, "the worker broke the protocol: " + what) {}
};

/// Puts a frame together.
class FrameWriter {
 public:
  FrameWriter(FrameType type, uint64_t id, bool has_fd = false) {
    put(FrameHeader{0, static_cast<uint16_t>(type), static_cast<uint16_t>(has_fd), id});
  }
  template <typename T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) { bytes_.append(value); }
  std::string take() {
    const auto size = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &size, sizeof size);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

/// Takes a frame's body apart; never reads past it.
class FrameReader {
 public:
  explicit FrameReader(std::span<const std::byte> bytes) : rest_(bytes) {}
  template <typename T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text(size_t size) {
    const auto bytes = take(size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string_view rest() { return text(rest_.size()); }
  size_t left() const { return rest_.size(); }

 private:
  std::span<const std::byte> take(size_t size) {
    if (size > rest_.size()) throw ProtocolError("a frame ends too early");
    const auto out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }
  std::span<const std::byte> rest_;
};

}  // namespace modelmill::python
