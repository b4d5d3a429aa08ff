#include "dialect/openai/embedding_model.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace modelmill::openai {
namespace {

/// So many tokens may be mostly padding.
constexpr size_t kPaddedTokens = size_t{1} << 20;

bool is_integer(const TensorSpec& spec) { return spec.dtype == DataType::kInt32 || spec.dtype == DataType::kInt64; }

bool is_vectors(const TensorSpec& spec) {
  const bool is_float = spec.dtype == DataType::kFp32 || spec.dtype == DataType::kFp64 ||
                        spec.dtype == DataType::kFp16 || spec.dtype == DataType::kBf16;
  return is_float && spec.shape.size() == 2 && spec.shape[1] != 1;
}

bool is_texts(const TensorSpec& spec) {
  if (spec.dtype != DataType::kBytes) return false;
  return spec.shape.size() == 1 || (spec.shape.size() == 2 && (spec.shape[1] == 1 || spec.shape[1] == -1));
}

bool is_tokens(const TensorSpec& spec) { return is_integer(spec) && spec.shape.size() == 2; }

const TensorSpec* find_counts(const Signature& signature) {
  const TensorSpec* const found = signature.output(kTokenCount);
  return found != nullptr && is_integer(*found) ? found : nullptr;
}

/// The output that is called so, or the only one.
const TensorSpec* find_output(const Signature& signature, const TensorSpec* counts) {
  for (const std::string_view name : {"embedding", "embeddings", "sentence_embedding"})
    if (const TensorSpec* const found = signature.output(name); found != nullptr && is_vectors(*found)) return found;
  const TensorSpec* only = nullptr;
  for (const TensorSpec& spec : signature.outputs) {
    if (&spec == counts) continue;
    if (only != nullptr) return nullptr;
    only = &spec;
  }
  return only != nullptr && is_vectors(*only) ? only : nullptr;
}

std::vector<const TensorSpec*> needed_inputs(const Signature& signature) {
  std::vector<const TensorSpec*> needed;
  for (const TensorSpec& spec : signature.inputs)
    if (!spec.optional) needed.push_back(&spec);
  if (needed.empty() && signature.inputs.size() == 1) needed.push_back(&signature.inputs[0]);
  return needed;
}

/// False when there is an input that we don't know what to put in.
bool find_inputs(const Signature& signature, EmbeddingModel& model) {
  const std::vector<const TensorSpec*> needed = needed_inputs(signature);
  if (needed.size() == 1 && is_texts(*needed[0])) {
    model.input = needed[0];
    return true;
  }
  if (!std::all_of(needed.begin(), needed.end(), [](const TensorSpec* spec) { return is_tokens(*spec); })) return false;
  for (const TensorSpec* const spec : needed) {
    if (spec->name == "attention_mask") {
      model.mask = spec;
    } else if (spec->name == "token_type_ids") {
      model.token_types = spec;
    } else if (model.input == nullptr) {
      model.input = spec;
    } else {
      return false;
    }
  }
  return model.input != nullptr;
}

/// An integer tensor [rows,width] whose elements are `value(row, column)`.
template <typename T, typename Value>
Bytes fill(size_t rows, size_t width, Value value) {
  MemoryRef memory = Memory::allocate(rows * width * sizeof(T));
  std::byte* out = memory->data();
  for (size_t row = 0; row < rows; ++row)
    for (size_t column = 0; column < width; ++column, out += sizeof(T)) {
      const T number = static_cast<T>(value(row, column));
      std::memcpy(out, &number, sizeof number);
    }
  return Bytes(std::move(memory));
}

template <typename Value>
void put_integers(const TensorSpec& spec, size_t rows, size_t width, InferRequest& request, Value value) {
  Tensor& tensor = request.inputs.emplace_back();
  tensor.name = spec.name;
  tensor.dtype = spec.dtype;
  tensor.shape = {static_cast<int64_t>(rows), static_cast<int64_t>(width)};
  tensor.data.push_back(spec.dtype == DataType::kInt32 ? fill<int32_t>(rows, width, value)
                                                       : fill<int64_t>(rows, width, value));
}

/// Checks rows of tokens; returns the length of the longest.
Result<size_t> longest_row(const EmbeddingsRequest& from, const EmbeddingModel& model, const std::string& name) {
  size_t longest = 0;
  size_t shortest = std::numeric_limits<size_t>::max();
  for (const std::vector<int64_t>& row : from.tokens) {
    longest = std::max(longest, row.size());
    shortest = std::min(shortest, row.size());
    const int64_t largest = *std::max_element(row.begin(), row.end());
    if (model.input->dtype == DataType::kInt32 && largest > std::numeric_limits<int32_t>::max())
      return invalid_argument("token " + std::to_string(largest) + " is none of model '" + name + "', whose input '" +
                              model.input->name + "' is INT32");
  }
  if (shortest != longest && model.mask == nullptr)
    return invalid_argument("model '" + name + "' has no input 'attention_mask', so the rows of tokens of a request " +
                            "must be equally long; these have from " + std::to_string(shortest) + " to " +
                            std::to_string(longest) + ": send them one by one");
  const size_t padded = longest * from.tokens.size();
  if (padded > kPaddedTokens && padded / 8 > from.token_count())
    return invalid_argument("padded to the longest, these rows of tokens would be " + std::to_string(padded) +
                            ", most of them padding; send rows of about the same length together");
  return longest;
}

Status put_tokens(const EmbeddingsRequest& from, const EmbeddingModel& model, const std::string& name,
                  InferRequest& request) {
  MM_ASSIGN_OR_RETURN(const size_t width, longest_row(from, model, name));
  const auto& rows = from.tokens;
  const auto is_there = [&rows](size_t row, size_t column) { return column < rows[row].size(); };
  put_integers(*model.input, rows.size(), width, request,
               [&](size_t row, size_t column) { return is_there(row, column) ? rows[row][column] : 0; });
  if (model.mask != nullptr)
    put_integers(*model.mask, rows.size(), width, request,
                 [&](size_t row, size_t column) { return is_there(row, column) ? 1 : 0; });
  if (model.token_types != nullptr)
    put_integers(*model.token_types, rows.size(), width, request, [](size_t, size_t) { return 0; });
  return ok_status();
}

/// The numbers of "64,128"; none of what has others.
std::vector<int64_t> sizes_of(std::string_view text) {
  std::vector<int64_t> sizes;
  int64_t size = 0;
  for (const char c : text) {
    if (c == ',') {
      sizes.push_back(std::exchange(size, 0));
    } else if (c >= '0' && c <= '9' && size < (1 << 24)) {
      size = size * 10 + (c - '0');
    } else if (c != ' ') {
      return {};
    }
  }
  sizes.push_back(size);
  return sizes;
}

}  // namespace

Result<EmbeddingModel> embedding_model(const ModelVersion& version) {
  EmbeddingModel model;
  model.counts = find_counts(version.signature());
  model.output = find_output(version.signature(), model.counts);
  if (model.output != nullptr && find_inputs(version.signature(), model)) return model;
  return invalid_argument(
      "model '" + version.name() +
      "' does not make embeddings: one that does takes texts (one input BYTES [-1]) or tokens (INT64 [-1,-1], with an "
      "'attention_mask' and 'token_type_ids' if it wants them), and has one output of floats [-1,n], or one that is "
      "called 'embedding', 'embeddings' or 'sentence_embedding'");
}

Status put_inputs(const EmbeddingsRequest& from, const EmbeddingModel& model, const std::string& name,
                  InferRequest& request) {
  request.outputs.push_back({model.output->name});
  if (model.counts != nullptr) request.outputs.push_back({model.counts->name});
  if (from.is_tokens() && !model.takes_tokens())
    return invalid_argument("model '" + name + "' takes texts and no tokens; send strings in 'input'");
  if (from.is_tokens()) return put_tokens(from, model, name, request);
  if (model.takes_tokens())
    return invalid_argument("model '" + name + "' takes tokens and no texts; send arrays of tokens in 'input'");
  Tensor& tensor = request.inputs.emplace_back();
  tensor.name = model.input->name;
  tensor.dtype = DataType::kBytes;
  tensor.shape = {static_cast<int64_t>(from.rows)};
  if (model.input->shape.size() == 2) tensor.shape.push_back(1);
  tensor.data.push_back(from.texts);
  return ok_status();
}

VectorCuts cuts_of(const ModelVersion& version) {
  const auto& parameters = version.definition().parameters;
  const auto told = parameters.find(kMatryoshka);
  return {version.name(), told == parameters.end() ? std::nullopt : std::optional(told->second)};
}

Status VectorCuts::check(int64_t dimensions, int64_t size) const {
  if (dimensions == 0 || size < 0 || dimensions == size) return ok_status();
  const std::string asked = "'dimensions' is " + std::to_string(dimensions);
  if (dimensions > size)
    return invalid_argument(asked + ", and the vectors of model '" + model + "' have " + std::to_string(size));
  if (!told)
    return invalid_argument(asked + ", and the vectors of model '" + model + "' have " + std::to_string(size) +
                            ": only those of a model that was trained for it may be cut. If this one was, its " +
                            "parameter " + kMatryoshka + " says so: any, or sizes with commas between them");
  if (*told == "any") return ok_status();
  const std::vector<int64_t> sizes = sizes_of(*told);
  if (std::find(sizes.begin(), sizes.end(), dimensions) != sizes.end()) return ok_status();
  return invalid_argument(asked + "; the vectors of model '" + model + "' may be cut to " + *told);
}

}  // namespace modelmill::openai
