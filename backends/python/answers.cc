#include "answers.h"

#include <algorithm>

#include "json_text.h"

namespace modelmill::python {
namespace {

using backend::Execution;
using backend::Owner;
using backend::Request;
using backend::Response;

constexpr uint64_t kMostElements = uint64_t{1} << 46;
constexpr size_t kLongestMessage = 8192;

/// Keeps what an answer was lent: the region, the execution's inputs, and the worker's block, whose first word becomes
/// 0 at the end.
class Lent {
 public:
  Lent(const ResponseRecord& record, const AnswerMemory& memory) : inputs_(memory.inputs), lent_(memory.lent) {
    if (record.block_region == kNoRegion) return;
    region_ = memory.region(record.block_region);
    if (!region_) throw ProtocolError("a block in memory that there is not");
    word_ = &region_->block_word(record.block_offset);
  }
  ~Lent() {
    if (word_ != nullptr) word_->store(0, std::memory_order_release);
    lent_->fetch_sub(bytes_, std::memory_order_relaxed);
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  /// Before it is shared.
  void count(uint64_t bytes) {
    bytes_ += bytes;
    lent_->fetch_add(bytes, std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<Region> region_;
  const std::shared_ptr<Arena::Block> inputs_;
  const std::shared_ptr<std::atomic<uint64_t>> lent_;
  std::atomic<uint32_t>* word_ = nullptr;
  uint64_t bytes_ = 0;
};

/// What a worker says, as text that a client may see.
std::string clean_text(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kLongestMessage))
    out += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? ' ' : c;
  return out;
}

mm_code error_code(uint16_t code) {
  return code > MM_OK && code <= MM_UNAUTHENTICATED ? static_cast<mm_code>(code) : MM_INTERNAL;
}

uint64_t count_elements(const std::vector<int64_t>& shape) {
  uint64_t count = 1;
  for (const int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(count, static_cast<uint64_t>(size), &count) || count > kMostElements)
      throw ProtocolError("a tensor of shape " + backend::shape_text(shape));
  return count;
}

/// Offsets are copied before they are looked at: the worker can still change what is shared.
void take_strings(SharedTensor& tensor, uint64_t elements) {
  if (elements >= tensor.size / sizeof(uint64_t)) throw ProtocolError("strings without their offsets");
  const uint64_t table = (elements + 1) * sizeof(uint64_t);
  tensor.offsets.resize(elements + 1);
  std::memcpy(tensor.offsets.data(), tensor.data, table);
  tensor.data += table;
  tensor.size -= table;
  if (!std::is_sorted(tensor.offsets.begin(), tensor.offsets.end()) || tensor.offsets.back() > tensor.size)
    throw ProtocolError("offsets of strings that don't ascend within their bytes");
}

std::vector<SharedTensor> read_outputs(FrameReader& reader, uint16_t count, const ModelShape& shape,
                                       const AnswerMemory& memory) {
  std::vector<SharedTensor> out;
  for (uint16_t i = 0; i < count; ++i) {
    SharedTensor tensor = read_tensor(reader, memory);
    if (shape.open && tensor.index != i) throw ProtocolError("an output out of its order");
    if (shape.open) {
      out.push_back(std::move(tensor));
      continue;
    }
    if (tensor.index >= shape.outputs.size()) throw ProtocolError("output number " + std::to_string(tensor.index));
    if (tensor.dtype != shape.outputs[tensor.index].dtype) throw ProtocolError("an output of another type");
    out.push_back(std::move(tensor));
  }
  return out;
}

/// Answers requests of one frame with tensors that share what is lent.
class Giver {
 public:
  Giver(const ResponseRecord& record, const ModelShape& shape, const AnswerMemory& memory)
      : shape_(shape), memory_(memory), lent_(std::make_shared<Lent>(record, memory)) {}

  /// Tensors of a whole batch: each request gets its rows.
  void give_rows(Execution& execution, const std::vector<SharedTensor>& outputs) {
    const backend::RowCutter cutter(execution);
    std::vector<bool> copies;
    for (const SharedTensor& output : outputs) {
      cutter.check_output(name(output), output.shape);
      copies.push_back(must_copy(output));
    }
    for (uint32_t i = 0; i < execution.size(); ++i) {
      Request& request = execution[i];
      if (request.answered()) continue;
      try {
        Response response = request.respond();
        for (size_t k = 0; k < outputs.size(); ++k)
          if (request.wants(name(outputs[k]))) put(response, outputs[k], cutter, i, copies[k]);
        response.send();
      } catch (...) {
        request.fail(backend::current_error());
      }
    }
  }

  Response give(Request& request, const std::vector<SharedTensor>& outputs, std::string_view parameters) {
    Response response = request.respond();
    const auto said = parameters.empty() ? backend::Json() : backend::Json::parse(parameters);
    add_parameters(response, shape_.open ? said["parameters"] : said);
    if (shape_.open) names_ = names_of(said["outputs"], outputs.size());
    for (const SharedTensor& output : outputs)
      if (shape_.open || request.wants(name(output))) put_whole(response, output, must_copy(output));
    return response;
  }

  /// The error in the place of an answer, with what goes beside it.
  void refuse(Request& request, mm_code code, std::string_view text) {
    if (!shape_.open || !text.starts_with(R"({"error": )")) return request.fail(code, clean_text(text));
    backend::Json said;
    try {
      said = backend::Json::parse(text);
    } catch (const backend::Error&) {  // it is the model's own, and only begins so
      return request.fail(code, clean_text(text));
    }
    Response response = request.respond();
    add_parameters(response, said["parameters"]);
    response.fail(code, clean_text(said["error"].text(std::string(text))));
  }

 private:
  static void add_parameters(Response& response, const backend::Json& parameters) {
    for (const auto& [name, value] : parameters.members()) response.parameter(name.c_str(), parameter_value(value));
  }
  static std::vector<std::string> names_of(const backend::Json& json, size_t count) {
    std::vector<std::string> out;
    for (const backend::Json& item : json.items()) out.push_back(item.text());
    if (out.size() != count) throw ProtocolError("outputs without their names");
    return out;
  }
  const char* name(const SharedTensor& output) const {
    return shape_.open ? names_[output.index].c_str() : shape_.outputs[output.index].name.c_str();
  }

  /// Whether an output of so many bytes is copied: when too much is lent already.
  bool must_copy(const SharedTensor& output) {
    if (!output.region) return false;
    if (memory_.lent->load(std::memory_order_relaxed) + output.size > memory_.most_lent) return true;
    lent_->count(output.size);
    return false;
  }
  Owner owner() const { return Owner::of(lent_); }

  void put(Response& response, const SharedTensor& output, const backend::RowCutter& cutter, uint32_t index,
           bool copy) {
    if (cutter.single()) return put_whole(response, output, copy);
    if (output.dtype != MM_STRING) {
      const backend::BatchOutput whole{name(output), output.dtype, output.shape, output.data, copy};
      return backend::put_slice(response, cutter, index, whole, owner());
    }
    const backend::RowRange rows = cutter.range(index);
    std::vector<int64_t> shape = output.shape;
    shape[0] = 1;
    const uint64_t row = backend::element_count(shape);
    shape[0] = rows.count;
    const auto first = static_cast<uint64_t>(rows.first) * row;
    response.strings(name(output), shape,
                     std::span(output.offsets).subspan(first, static_cast<uint64_t>(rows.count) * row + 1),
                     output.data);
  }

  void put_whole(Response& response, const SharedTensor& output, bool copy) {
    if (output.dtype == MM_STRING) return response.strings(name(output), output.shape, output.offsets, output.data);
    if (output.size >= backend::kCopyBelow && !copy)
      return response.adopt(name(output), output.dtype, output.shape, output.data, owner());
    void* to = response.allocate(name(output), output.dtype, output.shape);
    if (output.size > 0) std::memcpy(to, output.data, output.size);
  }

  const ModelShape& shape_;
  const AnswerMemory& memory_;
  const std::shared_ptr<Lent> lent_;
  std::vector<std::string> names_;  // of an answer's outputs, with an open signature
};

void fail_all(Execution& execution, mm_code code, const std::string& message) {
  for (Request& request : execution)
    if (!request.answered()) request.fail(code, message);
}

}  // namespace

SharedTensor read_tensor(FrameReader& reader, const AnswerMemory& memory) {
  const auto record = reader.get<TensorRecord>();
  SharedTensor out;
  out.index = record.index;
  out.dtype = static_cast<mm_dtype>(record.dtype);
  if (record.dtype <= MM_DTYPE_INVALID || record.dtype > MM_BF16 || record.rank > backend::kMaxRank)
    throw ProtocolError("a tensor of unknown type or too high a rank");
  for (uint8_t i = 0; i < record.rank; ++i) out.shape.push_back(reader.get<int64_t>());
  const uint64_t elements = count_elements(out.shape);
  uint64_t begin = 0, end = 0;
  const std::byte* base = nullptr;
  if (record.size == 0 && elements == 0 && out.dtype != MM_STRING) return out;  // it is nowhere
  if ((record.region & kServerMemory) != 0) {
    if (!memory.inputs || memory.inputs->region() != (record.region & ~kServerMemory))
      throw ProtocolError("an output in memory that is not its execution's");
    begin = memory.inputs->offset();
    end = begin + memory.inputs->size();
    base = memory.inputs->data() - begin;
  } else {
    out.region = memory.region(record.region);
    if (!out.region) throw ProtocolError("a tensor in memory that there is not");
    end = out.region->size();
    base = out.region->data();
  }
  if (record.offset < begin || record.offset > end || record.size > end - record.offset)
    throw ProtocolError("a tensor beyond its memory");
  out.data = base + record.offset;
  out.size = record.size;
  if (record.offset % std::max<size_t>(backend::element_size(out.dtype), out.dtype == MM_STRING ? 8 : 1) != 0)
    throw ProtocolError("a tensor that is not aligned");
  if (out.dtype == MM_STRING)
    take_strings(out, elements);
  else if (elements * backend::element_size(out.dtype) != out.size)
    throw ProtocolError("a tensor whose size is not that of its shape");
  return out;
}

ResponseRecord give_answers(Execution& execution, FrameReader body, const ModelShape& shape, const AnswerMemory& memory,
                            uint32_t& open, const std::function<void(uint32_t)>& taken) {
  const auto record = body.get<ResponseRecord>();
  Giver giver(record, shape, memory);
  for (uint32_t i = 0; i < record.entries; ++i) {
    const auto entry = body.get<AnswerRecord>();
    const auto kind = static_cast<AnswerKind>(entry.kind);
    const uint16_t count = kind == AnswerKind::kOutputs ? entry.count : 0;
    const auto outputs = read_outputs(body, count, shape, memory);
    const std::string_view text = body.text(entry.text_size);
    if ((record.flags & kGathered) != 0 && shape.open) throw ProtocolError("rows of outputs that have no names");
    if ((record.flags & kGathered) != 0) {
      try {
        if (kind == AnswerKind::kOutputs) giver.give_rows(execution, outputs);
      } catch (const ProtocolError&) {
        throw;
      } catch (const backend::Error& e) {
        fail_all(execution, e.code(), e.what());
      }
      if (kind != AnswerKind::kOutputs) fail_all(execution, error_code(entry.count), clean_text(text));
      open = 0;
      continue;
    }
    if (entry.request >= execution.size() || execution[entry.request].answered())
      throw ProtocolError("an answer to request " + std::to_string(entry.request) + ", which waits for none");
    Request& request = execution[entry.request];
    const bool final = entry.final != 0 || !shape.decoupled || kind != AnswerKind::kOutputs;
    try {
      if (kind == AnswerKind::kError) {
        giver.refuse(request, error_code(entry.count), text);
      } else if (kind == AnswerKind::kEnd) {
        shape.decoupled ? request.finish() : request.fail(MM_INTERNAL, "the model's Python code gave no answer");
      } else {
        Response response = giver.give(request, outputs, text);
        final ? response.send() : response.send_partial();
      }
    } catch (...) {
      request.fail(backend::current_error());
    }
    if (request.answered())
      --open;
    else
      taken(entry.request);
  }
  return record;
}

}  // namespace modelmill::python
