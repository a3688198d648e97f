#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <string_view>
#include <thread>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/base/parallel.hpp>
#include <elk/distributed/launched.hpp>
#include <elk/distributed/session.hpp>

namespace elk::distributed {

namespace {

using Clock = std::chrono::steady_clock;

// Counts of MPI are ints.
constexpr std::size_t most_bytes = std::size_t{1} << 30;

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail<Error>("[distributed] {}: {}", call, std::string_view(text, static_cast<std::size_t>(length)));
}

int count_of(std::size_t bytes) { return static_cast<int>(bytes); }

}  // namespace

struct Session::Inside {
  MPI_Comm all = MPI_COMM_NULL;
  // Collective calls match by the order in which they begin, which those of two kinds need not share.
  MPI_Comm exchanges = MPI_COMM_NULL, shares = MPI_COMM_NULL;
  bool broken = false;  // something was left in the midst
  bool ours = false;    // to end
  int exceptions = 0;
  int rank = 0, size = 1, processors = 1;
  double patience = 600;

  struct Sent {
    std::string bytes;
    MPI_Request request;
  };
  std::deque<Sent> sent;  // not yet known to have left

  // MPI's own wait keeps the processor busy, which others may need who are waited for.
  void wait(MPI_Request& request, const char* call) const {
    const auto begun = Clock::now();
    for (int tries = 0;; ++tries) {
      int done = 0;
      check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), call);
      if (done != 0) return;
      if (tries < 1000) continue;
      const auto waited = Clock::now() - begun;
      if (waited < std::chrono::milliseconds(2)) {
        std::this_thread::yield();
        continue;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      if (std::chrono::duration<double>(waited).count() > patience)
        fail<Error>("[distributed] rank {} has waited {:g} s for other ranks, which do not answer", rank,
                    patience);
    }
  }

  void check_whole() const {
    if (broken)
      fail<Error>(
          "[distributed] an exception has ended a step in the midst of its sending: rank {} has to end",
          rank);
  }

  void find_processors() {
    MPI_Comm machine = MPI_COMM_NULL;
    check(MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine),
          "MPI_Comm_split_type");
    int neighbours = 1;
    MPI_Comm_size(machine, &neighbours);
    cpu_set_t own;
    CPU_ZERO(&own);
    sched_getaffinity(0, sizeof own, &own);
    cpu_set_t any = own;
    check(MPI_Allreduce(&own, &any, sizeof own, MPI_BYTE, MPI_BOR, machine), "MPI_Allreduce");
    MPI_Comm_free(&machine);
    processors = std::clamp(CPU_COUNT(&any) / neighbours, 1, std::max(1, available_processors()));
  }
};

namespace {

// What MPI may look at until a call is done.
struct Call {
  MPI_Request request = MPI_REQUEST_NULL;
  std::vector<int> counts, at, from_counts, from_at;
};

}  // namespace

class Session::OnItsWay : public train::Transfer {
 public:
  OnItsWay(Inside& in, std::unique_ptr<Call> call, const char* name)
      : in_(in), call_(std::move(call)), name_(name) {}
  ~OnItsWay() override {
    if (call_->request == MPI_REQUEST_NULL) return;
    in_.broken = true;
    (void)call_.release();
  }
  OnItsWay(const OnItsWay&) = delete;
  OnItsWay& operator=(const OnItsWay&) = delete;

  bool done() override {
    int is_done = 0;
    check(MPI_Test(&call_->request, &is_done, MPI_STATUS_IGNORE), name_);
    return is_done != 0;
  }
  void wait() override { in_.wait(call_->request, name_); }

 private:
  Inside& in_;
  std::unique_ptr<Call> call_;
  const char* name_;
};

Session::Session(int& argc, char**& argv) : inside_(std::make_unique<Inside>()) {
  Inside& in = *inside_;
  in.exceptions = std::uncaught_exceptions();
  if (const char* given = std::getenv("ELK_MPI_PATIENCE"); given != nullptr) {
    const char* const end = given + std::strlen(given);
    int seconds = 0;
    const auto [next, error] = std::from_chars(given, end, seconds);
    if (error != std::errc() || next != end || seconds < 1)
      fail<ValueError>("[distributed] ELK_MPI_PATIENCE: expected seconds from 1 on, got {}", shown(given));
    in.patience = seconds;
  }
  int begun = 0;
  MPI_Initialized(&begun);
  if (begun == 0) {
    int level = 0;
    check(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level), "MPI_Init");
    in.ours = true;
  }
  check(MPI_Comm_dup(MPI_COMM_WORLD, &in.all), "MPI_Comm_dup");
  MPI_Comm_set_errhandler(in.all, MPI_ERRORS_RETURN);
  check(MPI_Comm_dup(in.all, &in.exchanges), "MPI_Comm_dup");
  check(MPI_Comm_dup(in.all, &in.shares), "MPI_Comm_dup");
  MPI_Comm_rank(in.all, &in.rank);
  MPI_Comm_size(in.all, &in.size);
  if (in.size == 1 && launched() > 1)
    fail<Error>(
        "[distributed] {} processes were started by the launcher of another MPI than this program's, {}: "
        "each finds itself alone. Start them by that one's mpirun",
        launched(), mpi_name());
  in.find_processors();
}

Session::~Session() {
  Inside& in = *inside_;
  // Others may wait for this process: to end MPI now would be to wait for them.
  if (std::uncaught_exceptions() > in.exceptions) return;
  for (Inside::Sent& sent : in.sent) MPI_Wait(&sent.request, MPI_STATUS_IGNORE);
  for (MPI_Comm* each : {&in.exchanges, &in.shares, &in.all}) MPI_Comm_free(each);
  if (in.ours) MPI_Finalize();
}

int Session::rank() const { return inside_->rank; }
int Session::size() const { return inside_->size; }
int Session::processors() const { return inside_->processors; }
double Session::patience() const { return inside_->patience; }

void Session::sum(std::span<double> numbers) {
  constexpr std::size_t most = most_bytes / sizeof(double);
  for (std::size_t begin = 0; begin < numbers.size(); begin += most) {
    const std::size_t count = std::min(most, numbers.size() - begin);
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallreduce(MPI_IN_PLACE, numbers.data() + begin, count_of(count), MPI_DOUBLE, MPI_SUM,
                         inside_->all, &request),
          "MPI_Iallreduce");
    inside_->wait(request, "MPI_Iallreduce");
  }
}

std::unique_ptr<train::Transfer> Session::begin_exchange(std::span<const std::byte> mine,
                                                         std::span<const std::size_t> cuts,
                                                         std::span<const int> senders,
                                                         std::span<std::byte> received) {
  inside_->check_whole();
  const auto ranks = static_cast<std::size_t>(inside_->size), rank = static_cast<std::size_t>(inside_->rank);
  const int own = count_of(cuts[rank + 1] - cuts[rank]);
  auto call = std::make_unique<Call>();
  for (auto* list : {&call->counts, &call->at, &call->from_counts, &call->from_at}) list->resize(ranks);
  for (std::size_t r = 0; r < ranks && !mine.empty(); ++r) {
    call->counts[r] = count_of(cuts[r + 1] - cuts[r]);
    call->at[r] = count_of(cuts[r]);
  }
  for (std::size_t i = 0; i < senders.size(); ++i) {
    call->from_counts[static_cast<std::size_t>(senders[i])] = own;
    call->from_at[static_cast<std::size_t>(senders[i])] = static_cast<int>(i) * own;
  }
  check(MPI_Ialltoallv(mine.data(), call->counts.data(), call->at.data(), MPI_BYTE, received.data(),
                       call->from_counts.data(), call->from_at.data(), MPI_BYTE, inside_->exchanges,
                       &call->request),
        "MPI_Ialltoallv");
  return std::make_unique<OnItsWay>(*inside_, std::move(call), "MPI_Ialltoallv");
}

std::unique_ptr<train::Transfer> Session::begin_share(std::span<std::byte> all,
                                                      std::span<const std::size_t> cuts) {
  inside_->check_whole();
  auto call = std::make_unique<Call>();
  for (std::size_t r = 0; r + 1 < cuts.size(); ++r) {
    call->counts.push_back(count_of(cuts[r + 1] - cuts[r]));
    call->at.push_back(count_of(cuts[r]));
  }
  check(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), call->counts.data(), call->at.data(),
                        MPI_BYTE, inside_->shares, &call->request),
        "MPI_Iallgatherv");
  return std::make_unique<OnItsWay>(*inside_, std::move(call), "MPI_Iallgatherv");
}

void Session::broadcast(std::string& bytes, int root) {
  std::uint64_t size = bytes.size();
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibcast(&size, 1, MPI_UINT64_T, root, inside_->all, &request), "MPI_Ibcast");
  inside_->wait(request, "MPI_Ibcast");
  bytes.resize(size);
  for (std::size_t begin = 0; begin < bytes.size(); begin += most_bytes) {
    const std::size_t count = std::min(most_bytes, bytes.size() - begin);
    check(MPI_Ibcast(bytes.data() + begin, count_of(count), MPI_BYTE, root, inside_->all, &request),
          "MPI_Ibcast");
    inside_->wait(request, "MPI_Ibcast");
  }
}

void Session::send(int to, std::string bytes) {
  Inside& in = *inside_;
  while (!in.sent.empty()) {
    int done = 0;
    check(MPI_Test(&in.sent.front().request, &done, MPI_STATUS_IGNORE), "MPI_Isend");
    if (done == 0) break;
    in.sent.pop_front();
  }
  if (bytes.size() > most_bytes)
    fail<ValueError>("[distributed] a message of {} bytes is too long", bytes.size());
  Inside::Sent& sent = in.sent.emplace_back(Inside::Sent{std::move(bytes), MPI_REQUEST_NULL});
  check(MPI_Isend(sent.bytes.data(), count_of(sent.bytes.size()), MPI_BYTE, to, 0, in.all, &sent.request),
        "MPI_Isend");
}

bool Session::receive(Message& message) {
  Inside& in = *inside_;
  int there = 0;
  MPI_Message handle = MPI_MESSAGE_NULL;
  MPI_Status status{};
  check(MPI_Improbe(MPI_ANY_SOURCE, 0, in.all, &there, &handle, &status), "MPI_Improbe");
  if (there == 0) return false;
  int count = 0;
  MPI_Get_count(&status, MPI_BYTE, &count);
  message.from = status.MPI_SOURCE;
  message.bytes.resize(static_cast<std::size_t>(count));
  check(MPI_Mrecv(message.bytes.data(), count, MPI_BYTE, &handle, &status), "MPI_Mrecv");
  return true;
}

void Session::abort(int code) {
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

std::string mpi_name() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  std::string_view name(text, static_cast<std::size_t>(length));
  name = name.substr(0, name.find_first_of(",\n"));
  std::string one_space;
  for (const char c : name) {
    const char shown = c == '\t' || c == '\r' || c == '\0' ? ' ' : c;
    if (shown != ' ' || (!one_space.empty() && one_space.back() != ' ')) one_space += shown;
  }
  return one_space;
}

}  // namespace elk::distributed
