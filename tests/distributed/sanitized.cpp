// MPI's libraries under the leak sanitizer: what they keep when they end is theirs, and that of a plug-in
// which they have closed would have no name. Linked with the programs that mpirun starts.

#define CALLED_BY_LIBRARIES __attribute__((visibility("default")))

extern "C" {

CALLED_BY_LIBRARIES int dlclose(void*) { return 0; }

// Open MPI, its plug-ins and what it looks at the machine with. MPICH keeps nothing.
CALLED_BY_LIBRARIES const char* __lsan_default_suppressions() {
  return "leak:libmpi.so\n"
         "leak:libopen-pal.so\n"
         "leak:libopen-rte.so\n"
         "leak:libpmix.so\n"
         "leak:libhwloc.so\n"
         "leak:openmpi3/mca_\n";
}

// Through what they call of the system's library, which has no frame pointers, to them; not far, as that
// takes its time.
CALLED_BY_LIBRARIES const char* __asan_default_options() {
  return "fast_unwind_on_malloc=0:malloc_context_size=8:print_suppressions=0";
}
}
