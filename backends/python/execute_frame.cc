#include "execute_frame.h"

#include <algorithm>
#include <vector>

#include "frames.h"
#include "json_text.h"

namespace modelmill::python {
namespace {

using backend::Execution;
using backend::Request;

constexpr uint64_t kFrameAlign = 64;

/// A tensor of the frame: the tensors of requests that it is made of, and its place.
struct Piece {
  uint16_t index = 0;
  std::vector<mm_tensor> sources;
  uint64_t offset = 0;  // in the block

  mm_dtype dtype() const { return sources.front().dtype; }
  uint64_t elements() const {
    uint64_t count = 0;
    for (const mm_tensor& source : sources) count += source.element_count;
    return count;
  }
  uint64_t size() const {
    uint64_t bytes = 0;
    for (const mm_tensor& s : sources) bytes += s.dtype == MM_STRING ? s.offsets[s.element_count] : s.byte_size;
    return dtype() == MM_STRING ? bytes + (elements() + 1) * sizeof(uint64_t) : bytes;
  }
};

std::byte* append(const mm_tensor& tensor, std::byte* to) {
  for (uint32_t i = 0; i < tensor.chunk_count; ++i) {
    if (tensor.chunks[i].size > 0) std::memcpy(to, tensor.chunks[i].data, tensor.chunks[i].size);
    to += tensor.chunks[i].size;
  }
  return to;
}

void fill(const Piece& piece, std::byte* to) {
  if (piece.dtype() != MM_STRING) {
    for (const mm_tensor& source : piece.sources) to = append(source, to);
    return;
  }
  std::byte* bytes = to + (piece.elements() + 1) * sizeof(uint64_t);
  uint64_t base = 0;
  const auto put = [&to](uint64_t offset) {
    std::memcpy(to, &offset, sizeof offset);
    to += sizeof offset;
  };
  put(0);
  for (const mm_tensor& source : piece.sources) {
    for (uint64_t i = 1; i <= source.element_count; ++i) put(base + source.offsets[i]);
    base += source.offsets[source.element_count];
    bytes = append(source, bytes);
  }
}

bool same_but_rows(const mm_tensor& a, const mm_tensor& b) {
  return a.dtype == b.dtype && a.rank == b.rank && a.rank > 0 && std::equal(a.shape + 1, a.shape + a.rank, b.shape + 1);
}

/// Adds the inputs of one request to the pieces of those before it. False when they don't fit.
bool join(const Request& request, uint32_t count, std::vector<Piece>& pieces) {
  if (count != pieces.size()) return false;
  for (uint32_t i = 0; i < count; ++i) {
    const mm_tensor tensor = request.input(i);
    const mm_tensor& first = pieces[i].sources.front();
    if (std::strcmp(tensor.name, first.name) != 0 || !same_but_rows(tensor, first)) return false;
    pieces[i].sources.push_back(tensor);
  }
  return true;
}

void add_pieces(const Request& request, uint32_t count, const ModelShape& shape, std::vector<Piece>& pieces) {
  if (count > UINT16_MAX)  // a frame numbers them with 16 bits
    throw backend::Error(MM_INVALID_ARGUMENT, "a request of " + std::to_string(count) +
                                                  " inputs; the model's Python code can be given " +
                                                  std::to_string(UINT16_MAX) + " at most");
  for (uint32_t i = 0; i < count; ++i) {
    const mm_tensor tensor = request.input(i);
    const int index = shape.open ? static_cast<int>(i) : shape.input_index(tensor.name, i);
    if (index < 0)
      throw backend::Error(MM_INTERNAL, "the model's Python code has no input '" + std::string(tensor.name) + "'");
    pieces.push_back({static_cast<uint16_t>(index), {tensor}, 0});
  }
}

/// False when the requests can't be one batch of tensors.
bool gather_pieces(const Execution& execution, const ModelShape& shape, std::vector<Piece>& pieces) {
  add_pieces(execution[0], execution[0].info().input_count, shape, pieces);
  for (uint32_t i = 1; i < execution.size(); ++i)
    if (!join(execution[i], execution[i].info().input_count, pieces)) return false;
  return true;
}

std::string info_text(const Request& request, const mm_request_info& info, bool with_names) {
  std::string out = "{\"id\":" + json_quoted(info.id) + ",\"priority\":" + std::to_string(info.priority) +
                    ",\"deadline_ns\":" + (info.deadline_ns == INT64_MAX ? "null" : std::to_string(info.deadline_ns));
  if (info.sequence_text != nullptr) out += ",\"sequence\":" + json_quoted(info.sequence_text);
  if (info.sequence_text == nullptr && info.sequence_number != 0)
    out += ",\"sequence\":" + std::to_string(info.sequence_number);
  if (info.sequence_flags != 0) out += ",\"flags\":" + std::to_string(info.sequence_flags);
  if (info.queue_timeout_ns != 0) out += ",\"timeout_us\":" + std::to_string(info.queue_timeout_ns / 1000);
  if (info.traceparent != nullptr) out += ",\"traceparent\":" + json_quoted(info.traceparent);
  if (with_names) {
    out += ",\"inputs\":[";
    for (uint32_t i = 0; i < info.input_count; ++i) out += (i > 0 ? "," : "") + json_quoted(request.input(i).name);
    out += "]";
  }
  out += ",\"outputs\":[";
  for (uint32_t i = 0; i < info.requested_output_count; ++i)
    out += (i > 0 ? "," : "") + json_quoted(backend::host->request_requested_output(request.handle(), i));
  out += "],\"parameters\":{";
  for (uint32_t i = 0; i < info.parameter_count; ++i) {
    mm_parameter parameter{};
    parameter.struct_size = sizeof parameter;
    backend::check(backend::host->request_parameter(request.handle(), i, &parameter));
    out += (i > 0 ? "," : "") + json_quoted(parameter.name) + ":" + json_text(backend::value_of(parameter));
  }
  return out + "}}";
}

void put_tensor(FrameWriter& writer, const Piece& piece, const Arena::Block& block) {
  const mm_tensor& first = piece.sources.front();
  writer.put(TensorRecord{piece.index, static_cast<uint8_t>(first.dtype), static_cast<uint8_t>(first.rank),
                          block.region(), block.offset() + piece.offset, piece.size()});
  int64_t rows = 0;
  for (const mm_tensor& source : piece.sources) rows += source.rank > 0 ? source.shape[0] : 0;
  for (uint32_t i = 0; i < first.rank; ++i) writer.put(i == 0 ? rows : first.shape[i]);
}

/// Finds places for the pieces in one block and copies them there.
std::shared_ptr<Arena::Block> place(std::vector<Piece>& pieces, Arena& arena) {
  if (pieces.empty()) return nullptr;
  uint64_t total = 0;
  for (Piece& piece : pieces) {
    piece.offset = total;
    total += (piece.size() + kFrameAlign - 1) / kFrameAlign * kFrameAlign;
  }
  auto block = arena.allocate(total);
  for (const Piece& piece : pieces) fill(piece, block->data() + piece.offset);
  return block;
}

}  // namespace

ExecuteFrame make_execute_frame(uint64_t id, const Execution& execution, const ModelShape& shape, Arena& arena,
                                size_t most_info) {
  ExecuteFrame out;
  std::vector<Piece> pieces;
  std::vector<RequestRecord> records;
  std::string info;
  out.gathered = shape.gather && gather_pieces(execution, shape, pieces);
  if (!out.gathered) pieces.clear();
  for (uint32_t i = 0; i < execution.size(); ++i) {
    const Request& request = execution[i];
    const mm_request_info about = request.info();
    if (!out.gathered) add_pieces(request, about.input_count, shape, pieces);
    uint64_t rows = about.rows;
    if (out.gathered && about.input_count > 0)
      if (const mm_tensor& tensor = pieces.front().sources[i]; tensor.rank > 0)
        rows = static_cast<uint64_t>(tensor.shape[0]);
    records.push_back({static_cast<uint32_t>(rows), out.gathered ? 0 : about.input_count});
    if (shape.wants_info) info += (i == 0 ? "[" : ",") + info_text(request, about, shape.open);
    if (info.size() > most_info)
      throw backend::Error(MM_RESOURCE_EXHAUSTED, "the ids, parameters and names of these requests are more than " +
                                                      std::to_string(most_info) +
                                                      " bytes of JSON; send what is large as a tensor");
  }
  if (shape.wants_info) info += "]";
  out.inputs = place(pieces, arena);
  FrameWriter writer(FrameType::kExecute, id);
  writer.put(ExecuteRecord{out.gathered ? kGathered : 0, static_cast<uint32_t>(records.size()),
                           static_cast<uint32_t>(pieces.size()), static_cast<uint32_t>(info.size())});
  for (const RequestRecord& record : records) writer.put(record);
  for (const Piece& piece : pieces) put_tensor(writer, piece, *out.inputs);
  writer.text(info);
  out.frame = writer.take();
  return out;
}

}  // namespace modelmill::python
