// What a worker of a Python model says, on either socket, with memory that it shares: every request ends once, nothing
// is read outside of that memory, and what breaks the protocol is an error.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "input.h"
#include "python/executions.h"
#include "python/link.h"
#include "python/model_shape.h"
#include "python/services.h"
#include "python/testing/fake_host.h"
#include "python/testing/worker_end.h"
#include "targets.h"

namespace modelmill::fuzz {
namespace {

using python::Caller;
using python::Executions;
using python::Frame;
using python::FrameReader;
using python::FrameType;
using python::Link;
using python::ModelShape;
using python::ProtocolError;
using python::Services;
using python::testing::Array;
using python::testing::FakeExecution;
using python::testing::FakeHost;
using python::testing::WorkerEnd;
using python::testing::WorkerMemory;

constexpr uint64_t kMemoryLimit = uint64_t{1} << 22;
constexpr size_t kMostRegions = 20;
constexpr size_t kMostPieces = 64;  // more would not fit into a socket that nobody reads yet

// Bits of the first choice.
constexpr uint8_t kControl = 1, kGather = 2, kDecoupled = 4, kConcurrent = 8;

/// The worker's memory by number, each of the input's own bytes; by a choice each.
std::vector<std::unique_ptr<WorkerMemory>> make_memory(Input& input, std::string_view content) {
  static constexpr std::array<uint64_t, 4> kSizes = {4096, 65536, 4, 100};
  std::vector<std::unique_ptr<WorkerMemory>> out;
  const size_t count = input.choice_of(kMostRegions);
  for (size_t i = 0; i < count; ++i) {
    const uint8_t kind = input.choice();
    auto& memory = out.emplace_back(std::make_unique<WorkerMemory>(kSizes[kind & 3], (kind & 4) == 0));
    memory->put(0, content.substr(0, memory->size()));
  }
  return out;
}

/// The content is [u16 size] bytes of memory, and then what the worker says.
std::string_view take_memory(std::string_view& content) {
  if (content.size() < 2) return {};
  const size_t size = static_cast<uint8_t>(content[0]) | static_cast<uint8_t>(content[1]) << 8;
  content.remove_prefix(2);
  const std::string_view memory = content.substr(0, size);
  content.remove_prefix(memory.size());
  return memory;
}

void say(Input& input, WorkerEnd& worker, const std::vector<std::unique_ptr<WorkerMemory>>& memory,
         std::string_view said) {
  std::vector<int> fds;
  for (const auto& one : memory) fds.push_back(one->fd());
  size_t pieces = 0;
  std::string_view rest;
  cut(input, said, [&](std::string_view piece) {
    if (++pieces > kMostPieces) {
      rest = rest.empty() ? piece : std::string_view(rest.data(), rest.size() + piece.size());
      return;
    }
    worker.send(piece, fds);
    fds.clear();
  });
  worker.send(rest);
  worker.finish();
}

ModelShape make_shape(uint8_t flags) {
  ModelShape shape;
  const auto add = [](auto& specs, const char* name, mm_dtype dtype, std::vector<int64_t> sizes) {
    backend::TensorSpec spec;
    spec.name = name;
    spec.dtype = dtype;
    spec.shape = std::move(sizes);
    specs.push_back(std::move(spec));
  };
  add(shape.inputs, "x", MM_FP32, {-1, 2});
  add(shape.inputs, "text", MM_STRING, {-1});
  add(shape.outputs, "y", MM_FP32, {-1, 2});
  add(shape.outputs, "words", MM_STRING, {-1});
  add(shape.outputs, "count", MM_INT64, {-1});
  shape.gather = (flags & kGather) != 0;
  shape.decoupled = (flags & kDecoupled) != 0;
  shape.concurrent = (flags & kConcurrent) != 0;
  shape.max_batch_size = shape.gather ? 8 : 0;
  return shape;
}

void ask(FakeExecution& asked, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto rows = static_cast<int64_t>(i + 1);
    asked.add({Array::of<float>("x", MM_FP32, {rows, 2}, std::vector<float>(2 * i + 2, 1.5f)),
               Array::of_strings("text", std::vector<std::string>(i + 1, "word"))});
  }
}

/// As Worker::begin does it.
void follow(Executions& executions, uint64_t id) {
  for (bool over = false; !over;) try {
      executions.follow(id);
      over = true;
    } catch (const ProtocolError&) {
    }
}

void data_socket(uint8_t flags, Input& input, WorkerEnd& worker, std::string_view content) {
  const std::string_view memory_bytes = take_memory(content);
  const size_t requests = 1 + input.choice_of(3);
  const auto memory = make_memory(input, memory_bytes);
  const ModelShape shape = make_shape(flags);
  FakeExecution asked;
  ask(asked, requests);
  {
    Link link(worker.take_server_end(), kMemoryLimit, [] {});
    Executions executions(link, shape, kMemoryLimit);
    const uint64_t id = executions.begin(asked.execution());
    MM_CHECK(id == 1, "the first execution is number 1");
    executions.tell_cancelled(Executions::Clock::now());
    say(input, worker, memory, content);
    try {
      executions.serve(shape.concurrent ? 0 : id);
    } catch (const backend::Error& e) {
      MM_CHECK(e.what()[0] != '\0', "an error says why");
    }
    executions.fail_all(MM_UNAVAILABLE, "the worker is gone");
    if (executions.followed()) follow(executions, id);
    MM_CHECK(asked.done == 1, "the execution is over");
    for (const auto& request : asked.requests) {
      MM_CHECK(request->finals == 1, "a request ends once");
      request->give_back();
    }
  }
}

void control_socket(Input& input, WorkerEnd& worker, std::string_view content) {
  const std::string_view memory_bytes = take_memory(content);
  const auto memory = make_memory(input, memory_bytes);
  const auto link = std::make_shared<Link>(worker.take_server_end(), kMemoryLimit, [] {});
  const auto services = std::make_shared<Services>(link, nullptr, [](uint64_t) { return Caller{}; });
  say(input, worker, memory, content);
  try {
    Frame frame{};
    while (link->receive(frame, false)) {
      if (services->take(frame)) continue;
      if (frame.type != FrameType::kReady && frame.type != FrameType::kFailed) throw ProtocolError("no such frame");
      (void)ModelShape::read(backend::Json::parse(FrameReader(frame.body).rest()));
    }
  } catch (const backend::Error& e) {
    MM_CHECK(e.what()[0] != '\0', "an error says why");
  }
}

}  // namespace

void python_frames(std::string_view bytes) {
  FakeHost::install();
  Input input(bytes);
  WorkerEnd worker;
  const uint8_t flags = input.choice();
  if ((flags & kControl) != 0)
    control_socket(input, worker, input.content());
  else
    data_socket(flags, input, worker, input.content());
}

}  // namespace modelmill::fuzz
