// The yardstick of the model benchmarks: ONNX Runtime alone, called in a loop by N threads on one session, as lean as
// its C API allows (inputs are made once; each run's outputs are the runtime's own, released after it).
//
//     bare_ort LIBRARY MODEL --threads N --intra-op N (--seconds S | --runs N) [--batch N] [--pause-us US]
//              --input NAME:DTYPE:1x3x48x192:FILE ...
//
//     bare_ort LIBRARY MODEL --loads N [--settled N] --input ...
//
// With --batch each run has the inputs so many times, one after another along their first dimension.
// Prints one JSON object: runs, seconds, cpu_us (user and system, of the whole process, in the measured part), rss_kb.
// With --loads it makes a session, runs it once and releases it, so many times: loads, seconds, rss_kb, and
// settled_rss_kb, which was so much after the first --settled of them.
#include <dlfcn.h>
#include <onnxruntime_c_api.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

const OrtApi* api = nullptr;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bare_ort: %s\n", what.c_str());
  std::exit(2);
}

void check(OrtStatus* status) {
  if (status) die(api->GetErrorMessage(status));
}

struct Input {
  std::string name;
  ONNXTensorElementDataType type;
  std::vector<int64_t> shape;
  std::vector<char> bytes;
};

struct Options {
  std::string library, model;
  int threads = 1;
  int intra_op = 1;
  int batch = 1;
  double seconds = 2;
  long runs = 0;  // over all threads; 0: by time
  long loads = 0, settled = 1;
  std::chrono::microseconds pause{0};  // after each run
  std::vector<Input> inputs;
};

Input parse_input(const std::string& text) {
  static const std::map<std::string, ONNXTensorElementDataType> kTypes = {
      {"FP32", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},
      {"INT32", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
      {"INT64", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64}};
  std::vector<std::string> parts;
  size_t begin = 0;
  for (int i = 0; i < 3; ++i) {
    const size_t end = text.find(':', begin);
    if (end == std::string::npos) die("--input needs NAME:DTYPE:SHAPE:FILE");
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const auto type = kTypes.find(parts[1]);
  if (type == kTypes.end()) die("no such dtype: " + parts[1]);
  Input input{parts[0], type->second, {}, {}};
  for (const char* at = parts[2].c_str(); *at != '\0';) {
    char* next = nullptr;
    input.shape.push_back(std::strtoll(at, &next, 10));
    at = *next == 'x' ? next + 1 : next;
    if (at == next && *next != '\0') die("bad shape: " + parts[2]);
  }
  std::ifstream file(text.substr(begin), std::ios::binary);
  if (!file) die("cannot read " + text.substr(begin));
  input.bytes.assign(std::istreambuf_iterator<char>(file), {});
  return input;
}

void repeat(Input& input, int times) {
  if (input.shape.empty() || times < 1) die("--batch needs inputs with a first dimension, and at least 1");
  input.shape.front() *= times;
  const std::vector<char> once = input.bytes;
  for (int i = 1; i < times; ++i) input.bytes.insert(input.bytes.end(), once.begin(), once.end());
}

Options parse(int argc, char** argv) {
  if (argc < 3) die("usage: bare_ort LIBRARY MODEL [options]");
  Options options;
  options.library = argv[1];
  options.model = argv[2];
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--threads")
      options.threads = std::atoi(argv[i + 1]);
    else if (key == "--intra-op")
      options.intra_op = std::atoi(argv[i + 1]);
    else if (key == "--batch")
      options.batch = std::atoi(argv[i + 1]);
    else if (key == "--seconds")
      options.seconds = std::atof(argv[i + 1]);
    else if (key == "--runs")
      options.runs = std::atol(argv[i + 1]);
    else if (key == "--loads")
      options.loads = std::atol(argv[i + 1]);
    else if (key == "--settled")
      options.settled = std::atol(argv[i + 1]);
    else if (key == "--pause-us")
      options.pause = std::chrono::microseconds(std::atol(argv[i + 1]));
    else if (key == "--input")
      options.inputs.push_back(parse_input(argv[i + 1]));
    else
      die("no option " + key);
  }
  for (Input& input : options.inputs) repeat(input, options.batch);
  return options;
}

void load_api(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) die(dlerror());
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  api = base ? base()->GetApi(ORT_API_VERSION) : nullptr;
  if (!api) die("not an ONNX Runtime of this API: " + path);
}

double cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

long rss_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmRSS:", 0) == 0) return std::atol(line.c_str() + 6);
  return 0;
}

// A session and what its runs need; run() may be called from many threads.
class Runner {
 public:
  Runner(OrtEnv* env, const Options& options) : inputs_(options.inputs) {
    OrtSessionOptions* session_options = nullptr;
    check(api->CreateSessionOptions(&session_options));
    check(api->SetIntraOpNumThreads(session_options, options.intra_op));
    check(api->SetInterOpNumThreads(session_options, 1));
    check(api->CreateSession(env, options.model.c_str(), session_options, &session_));
    api->ReleaseSessionOptions(session_options);
    check(api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
    check(api->GetAllocatorWithDefaultOptions(&allocator_));
    for (auto& input : inputs_) {
      OrtValue* value = nullptr;
      check(api->CreateTensorWithDataAsOrtValue(memory_, input.bytes.data(), input.bytes.size(), input.shape.data(),
                                                input.shape.size(), input.type, &value));
      values_.push_back(value);
      input_names_.push_back(input.name.c_str());
    }
    size_t count = 0;
    check(api->SessionGetOutputCount(session_, &count));
    for (size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      check(api->SessionGetOutputName(session_, i, allocator_, &name));
      output_names_.push_back(name);
    }
  }

  ~Runner() {
    for (char* name : output_names_) check(api->AllocatorFree(allocator_, name));
    for (OrtValue* value : values_) api->ReleaseValue(value);
    api->ReleaseMemoryInfo(memory_);
    api->ReleaseSession(session_);
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void run() {
    std::vector<OrtValue*> outputs(output_names_.size(), nullptr);
    check(api->Run(session_, nullptr, input_names_.data(), values_.data(), values_.size(), output_names_.data(),
                   outputs.size(), outputs.data()));
    for (OrtValue* output : outputs) api->ReleaseValue(output);
  }

 private:
  std::vector<Input> inputs_;
  OrtSession* session_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
  OrtAllocator* allocator_ = nullptr;
  std::vector<OrtValue*> values_;
  std::vector<const char*> input_names_;
  std::vector<char*> output_names_;
};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void load_again_and_again(OrtEnv* env, const Options& options) {
  const auto begin = Clock::now();
  long settled_rss_kb = 0;
  for (long i = 1; i <= options.loads; ++i) {
    Runner(env, options).run();
    if (i == options.settled) settled_rss_kb = rss_kb();
  }
  std::printf("{\"loads\": %ld, \"seconds\": %.6f, \"settled_rss_kb\": %ld, \"rss_kb\": %ld}\n", options.loads,
              seconds_since(begin), settled_rss_kb, rss_kb());
}

void run_again_and_again(OrtEnv* env, const Options& options) {
  Runner runner(env, options);
  if (options.runs != 1) runner.run();  // the first run plans its memory

  std::atomic<long> started{0}, done{0};
  const double cpu_before = cpu_us();
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) {
    threads.emplace_back([&] {
      while (options.runs > 0 ? started.fetch_add(1) < options.runs : Clock::now() < end) {
        runner.run();
        done.fetch_add(1, std::memory_order_relaxed);
        if (options.pause.count() > 0) std::this_thread::sleep_for(options.pause);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const double seconds = seconds_since(begin);
  std::printf("{\"runs\": %ld, \"seconds\": %.6f, \"cpu_us\": %.0f, \"rss_kb\": %ld}\n", done.load(), seconds,
              cpu_us() - cpu_before, rss_kb());
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  load_api(options.library);
  OrtEnv* env = nullptr;
  check(api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bare_ort", &env));
  if (options.loads > 0) {
    load_again_and_again(env, options);
  } else {
    run_again_and_again(env, options);
  }
  api->ReleaseEnv(env);
  return 0;
}
