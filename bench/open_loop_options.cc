#include "open_loop_options.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace bench {
namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "open_loop: %s\n", what.c_str());
  std::exit(2);
}

double number(const std::string& key, const std::string& text, double least) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= least)) die(key + " takes a number from " + std::to_string(least));
  return value;
}

// "http://127.0.0.1:PORT/PATH"; what is measured is on this machine.
void read_url(const std::string& url, OpenLoopOptions& options) {
  constexpr std::string_view kStart = "http://127.0.0.1:";
  const size_t slash = url.find('/', kStart.size());
  if (url.rfind(kStart, 0) != 0 || slash == std::string::npos)
    die("the URL must be http://127.0.0.1:PORT/PATH: " + url);
  options.port = static_cast<uint16_t>(std::atoi(url.substr(kStart.size()).c_str()));
  options.call.authority = url.substr(7, slash - 7);
  options.call.path = url.substr(slash);
}

void read_body(const std::string& path, std::string& into) {
  std::ifstream file(path, std::ios::binary);
  into.assign(std::istreambuf_iterator<char>(file), {});
  if (into.empty()) die("nothing to send in " + path);
}

void set(OpenLoopOptions& options, const std::string& key, const std::string& value) {
  if (key == "--body") {
    read_body(value, options.call.body);
  } else if (key == "--rate") {
    options.rate = number(key, value, 0.001);
  } else if (key == "--seconds") {
    options.seconds = std::chrono::duration<double>(number(key, value, 0.001));
  } else if (key == "--warm-up") {
    options.warm_up = std::chrono::duration<double>(number(key, value, 0));
  } else if (key == "--drain") {
    options.drain = std::chrono::duration<double>(number(key, value, 0));
  } else if (key == "--connections") {
    options.connections = static_cast<int>(number(key, value, 1));
  } else if (key == "--objective-us") {
    options.objective = std::chrono::microseconds(static_cast<int64_t>(number(key, value, 1)));
  } else if (key == "--deadline-us") {
    options.call.deadline = std::chrono::microseconds(static_cast<int64_t>(number(key, value, 1)));
  } else if (key == "--seed") {
    options.seed = static_cast<uint64_t>(number(key, value, 0));
  } else if (key == "--max-outstanding") {
    options.max_outstanding = static_cast<size_t>(number(key, value, 1));
  } else if (key == "--real-time") {
    options.real_time = number(key, value, 0) != 0;
  } else {
    die("no option " + key);
  }
}

}  // namespace

OpenLoopOptions parse_open_loop_options(int argc, char** argv) {
  OpenLoopOptions options;
  options.call.headers = {{"content-type", "application/grpc"}, {"te", "trailers"}};
  if (argc < 2 || argc % 2 != 0) die("usage: open_loop URL --body FILE --rate R [--option VALUE]...");
  read_url(argv[1], options);
  for (int i = 2; i + 1 < argc; i += 2) set(options, argv[i], argv[i + 1]);
  if (options.call.body.empty() || options.rate <= 0) die("--body and --rate are needed");
  return options;
}

}  // namespace bench
