#include "repository/model_content.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace modelmill {
namespace {

constexpr std::string_view kTextEndings[] = {".json", ".txt", ".model", ".bst"};
constexpr std::string_view kXml = ".xml";
/// What tells a model stands within so many bytes; in XML after remarks, in Python after the imports.
constexpr size_t kRead = 512;
constexpr size_t kReadXml = 16 << 10;
constexpr size_t kReadPython = 1 << 20;

/// Takes `word` from the front of `text`, after blanks.
bool take(std::string_view& text, std::string_view word) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

/// {"learner": {"attributes": ..., in which one of its own keys comes first, or the version before it.
bool is_xgboost_json(std::string_view text) {
  if (!take(text, "{")) return false;
  if (std::string_view rest = text; take(rest, "\"version\"") && take(rest, ":") && take(rest, "[")) {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos) return false;
    text = rest.substr(end + 1);
    if (!take(text, ",")) return false;
  }
  if (!take(text, "\"learner\"") || !take(text, ":") || !take(text, "{")) return false;
  constexpr std::string_view kKeys[] = {"\"attributes\"",       "\"feature_names\"",       "\"feature_types\"",
                                        "\"gradient_booster\"", "\"learner_model_param\"", "\"objective\""};
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](std::string_view key) { return take(text, key); });
}

/// The same in UBJSON, where a key is its length, as 'L' and eight bytes, and its text.
bool is_xgboost_ubjson(std::string_view text) {
  constexpr std::string_view kLearner("{L\0\0\0\0\0\0\0\7learner{", 18);
  return text.starts_with(kLearner);
}

/// A line "tree", and the version of the format.
bool is_lightgbm(std::string_view text) {
  if (!text.starts_with("tree")) return false;
  text.remove_prefix(4);
  return take(text, "version=v");
}

/// XML whose root is "net", as OpenVINO writes a model's graph. Before it may be a declaration and remarks.
bool is_openvino_ir(std::string_view text) {
  (void)take(text, "\xEF\xBB\xBF");
  while (true) {
    const bool remark = take(text, "<!--");
    if (!remark && !take(text, "<?") && !take(text, "<!")) break;
    const std::string_view end = remark ? "-->" : ">";
    const size_t at = text.find(end);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + end.size());
  }
  return take(text, "<net") && !text.empty() && std::string_view(" \t\r\n>").find(text[0]) != std::string_view::npos;
}

bool has_line(std::string_view text, std::string_view beginning) {
  for (size_t at = text.find(beginning); at != std::string_view::npos; at = text.find(beginning, at + 1))
    if (at == 0 || text[at - 1] == '\n') return true;
  return false;
}

/// A mark as it stands behind the package's name, or by itself where it is imported from there.
bool has_mark(std::string_view text, const std::string& mark) {
  return has_line(text, "@modelmill." + mark) ||
         (has_line(text, "from modelmill import") && has_line(text, "@" + mark));
}

/// Something is marked as a model of ours, or the class is there that Triton looks for.
bool is_python_model(std::string_view text) {
  if (has_line(text, "class TritonPythonModel:") || has_line(text, "class TritonPythonModel(")) return true;
  return has_mark(text, "model") || has_mark(text, "comparison");
}

std::string read_first(const std::string& path, size_t most) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return {};  // a pipe would wait
  std::string bytes(most, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(bytes.data(), static_cast<std::streamsize>(most));
  bytes.resize(static_cast<size_t>(in.gcount()));
  return bytes;
}

}  // namespace

std::string backend_of_first_bytes(std::string_view bytes) {
  if (is_lightgbm(bytes)) return "lightgbm";
  return is_xgboost_json(bytes) || is_xgboost_ubjson(bytes) || bytes.starts_with("binf") ? "xgboost" : "";
}

std::string backend_of_content(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  if (ending == ".py") return is_python_model(read_first(path, kReadPython)) ? "python" : "";
  if (ending == kXml) return is_openvino_ir(read_first(path, kReadXml)) ? "openvino" : "";
  if (std::find(std::begin(kTextEndings), std::end(kTextEndings), ending) == std::end(kTextEndings)) return {};
  return backend_of_first_bytes(read_first(path, kRead));
}

bool is_foreign(const std::string& path) {
  return std::filesystem::path(path).extension() == kXml && backend_of_content(path).empty();
}

}  // namespace modelmill
