package importer

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRealFiles reads real purchase files whole, where they are at hand.
func TestRealFiles(t *testing.T) {
	dir := os.Getenv("TRIO_DATA")
	if dir == "" {
		t.Skip("TRIO_DATA is not set: it names the folder with the purchase files (grocery, online_retail_2, cdnow)")
	}
	for _, tt := range []struct {
		name      string
		orders    int
		customers int
		cents     int64
		units     int64
	}{
		{"grocery", 7454, 1068, 0, 0},
		{"online_retail_2", 26049, 4161, 1_195_377_877, 7_239_547},
		{"cdnow", 49071, 16472, 177_807_273, 119_732},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := os.Open(filepath.Join(dir, tt.name, "dev.csv"))
			if os.IsNotExist(err) {
				t.Skip("no such file in TRIO_DATA")
			} else if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			orders, problems, err := ReadOrders(f, Options{})
			if err != nil {
				t.Fatal(err)
			}
			customers, keys := map[string]bool{}, map[string]bool{}
			var cents, units int64
			for _, o := range orders {
				customers[o.PersonKey], keys[o.Key] = true, true
				cents += o.Cents
				units += o.Units
			}
			t.Logf("%d orders of %d customers, %d cents, %d units, %d problems", len(orders), len(customers), cents, units, len(problems))
			for _, p := range problems {
				t.Error(p)
			}
			if len(orders) != tt.orders || len(customers) != tt.customers || len(keys) != len(orders) || cents != tt.cents || units != tt.units {
				t.Errorf("got %d orders of %d customers with %d keys, want %d of %d, %d cents and %d units",
					len(orders), len(customers), len(keys), tt.orders, tt.customers, tt.cents, tt.units)
			}
		})
	}
}
