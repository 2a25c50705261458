package memory

// Identity is the identity of the words at offset in the memory file with this inode number, for OfMapping
// and WordAt: equal for all mappings of one file in this process, an engine's and a host's.
func Identity(inode, offset uint64) uint64 { return inode<<32 ^ offset }
